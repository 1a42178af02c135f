"""The pages, and how one gets from one to the other."""

import streamlit as st

st.set_page_config(page_title="Customer health", page_icon=":material/monitor_heart:")

# the folder is not called pages: Streamlit would serve its files by themselves, too
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("due_to_order", "Due to order", ":material/call:"),
    ("customer", "Customer", ":material/person:"),
    ("how_good_is_it", "How good is it?", ":material/fact_check:"),
    ("retention", "Retention", ":material/replay:"),
    ("bookings", "Bookings", ":material/event:"),
    ("usage_and_accounts", "Usage and accounts", ":material/domain:"),
    ("operations", "Operations", ":material/settings:"),
)

st.navigation(
    [
        # the first is what the bare address shows
        st.Page(
            f"screens/{name}.py",
            title=title,
            icon=icon,
            url_path=name if number else "",
            default=not number,
        )
        for number, (name, title, icon) in enumerate(PAGES)
    ],
    position="top",
).run()
