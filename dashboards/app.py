"""Set up the pages and the menu."""

import streamlit as st

from dashboards import data

st.set_page_config(page_title="Customer health", page_icon=":material/monitor_heart:")

# the folder is not called pages: Streamlit would serve each of its files on its own, too
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("due_to_order", "Due to order", ":material/call:"),
    ("customer", "Customer", ":material/person:"),
    ("how_good_is_it", "How good is it?", ":material/fact_check:"),
    ("retention", "Retention", ":material/replay:"),
    ("bookings", "Bookings", ":material/event:"),
    ("usage_and_accounts", "Usage and accounts", ":material/domain:"),
    ("operations", "Operations", ":material/settings:"),
    # not in the menu: tiles and bars of other pages link here
    ("rows", "Rows", ":material/table_rows:"),
)

# which pages show the tenants of each query; a page needs at least one of them
SYSTEMS = {
    "tenants": {"overview", "due_to_order", "customer", "how_good_is_it", "retention"},
    "organizations": {"customer", "how_good_is_it", "retention", "bookings"},
    "platform_organizations": {"usage_and_accounts"},
    "success_organizations": {"usage_and_accounts"},
}


def of_systems_that_are_off() -> set[str]:
    """Return the pages whose systems have no tenants that the reader may see.

    If no system has any, return none: then each page says what to do.
    """
    try:
        found = data.read(*SYSTEMS)
    except data.NothingToShow:
        return set()
    on = set[str]().union(*(SYSTEMS[name] for name, rows in found.items() if rows))
    return set[str]().union(*SYSTEMS.values()) - on if on else set()


def start() -> None:
    """Open the first page that has something to show, with what the address chooses."""
    chosen = {name: st.query_params.get_all(name) for name in st.query_params}
    first = next(name for name, _, _ in PAGES if name not in off)
    st.switch_page(f"screens/{first}.py", query_params=chosen)


off = of_systems_that_are_off()
st.navigation(
    [
        # of the bare address; the page that it opens keeps an address of its own for links
        st.Page(start, title="Start", default=True, visibility="hidden"),
        *(
            st.Page(
                f"screens/{name}.py",
                title=title,
                icon=icon,
                url_path=name,
                # a hidden page still opens by its address, and says why it is empty
                visibility="hidden" if name in off or name == "rows" else "visible",
            )
            for name, title, icon in PAGES
        ),
    ],
    position="top",
).run()
