{{ booking_totals() }}
