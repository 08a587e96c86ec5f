import {registry} from "@web/core/registry";

/**
 * A Bitcoin payment is requested from a quotation. The customer opens the link and pays meanwhile:
 * the test goes on there, and comes back with the second tour.
 */
registry.category("web_tour.tours").add("btcpay_request_tour", {
    steps: () => [
        {
            content: "Ask for a payment",
            trigger: ".o_statusbar_buttons button[name=action_btcpay_request]",
            run: "click",
        },
        {
            content: "The link is for all that is due",
            trigger: ".modal .o_field_widget[name=link]:contains(/payment_amount=100.0&btcpay=1/)",
        },
        {
            content: "It is there as a QR code",
            trigger: ".modal .o_field_widget[name=qr_code] img",
            run: async ({anchor}) => {
                await anchor.decode();
                if (!anchor.naturalWidth) {
                    throw new Error("The QR code is not shown.");
                }
            },
        },
        {
            content: "Ask for the down payment only",
            trigger: ".modal .o_field_widget[name=amount_type] input[data-value=down_payment]",
            run: "click",
        },
        {
            content: "The link follows",
            trigger: ".modal .o_field_widget[name=link]:contains(/payment_amount=30.0&btcpay=1/)",
        },
        {
            content: "Ask for an amount",
            trigger: ".modal .o_field_widget[name=amount_type] input[data-value=amount]",
            run: "click",
        },
        {
            content: "Of less than is needed to confirm it",
            trigger: ".modal .o_field_widget[name=amount] input:enabled",
            run: "edit 20.00 && click body",
        },
        {
            content: "The wizard says why that is of no use",
            trigger: ".modal .alert-warning:contains(at least $ 30.00)",
        },
        {
            content: "There is no link to send then",
            trigger: ".modal:not(:has(button[name=action_send]))",
        },
        {
            content: "All of it, then",
            trigger: ".modal .o_field_widget[name=amount_type] input[data-value=full]",
            run: "click",
        },
        {
            content: "Send it",
            trigger: ".modal button[name=action_send]",
            run: "click",
        },
        {
            content: "The mail is shown first, to whom it goes",
            trigger: ".modal .o_field_widget[name=partner_ids]:contains(Buyer)",
        },
        {
            content: "And what it says",
            trigger: ".modal .o_field_widget[name=body]:contains(Pay with Bitcoin)",
        },
        {
            content: "Now it is sent",
            trigger: ".modal button[name=action_send_mail]:enabled",
            run: "click",
        },
        {
            content: "The quotation shows that it was requested, and how far the mail is",
            trigger:
                "body:not(:has(.modal)) [name=btcpay_requested]:contains(customer@example.com)",
        },
        {
            content: "So does the chatter",
            trigger: ".o-mail-Message:contains(A Bitcoin payment of $ 100.00 was requested of)",
        },
        {
            content: "It is a quotation that was sent",
            trigger: ".o_statusbar_status button[aria-checked=true]:contains(Quotation Sent)",
        },
    ],
});

registry.category("web_tour.tours").add("btcpay_request_paid_tour", {
    steps: () => [
        {
            content: "The order is confirmed",
            trigger: ".o_statusbar_status button[aria-checked=true]:contains(Sales Order)",
        },
        {
            content: "Nothing more is asked for",
            trigger: ".o_form_view:not(:has(button[name=action_btcpay_request]))",
        },
        {
            content: "The button says what was received",
            trigger: "button[name=action_btcpay_view_transactions]:contains(Paid):contains(100.00)",
            run: "click",
        },
        {
            content: "The payment is there, with how it was paid and that it is confirmed",
            trigger:
                ".o_field_widget[name=btcpay_payment_ids] tr.o_data_row:contains(BTC):contains(Confirmed)",
        },
        {
            content: "Deliveries are for administrators",
            trigger: ".o_form_view:not(:has(.nav-link[name=deliveries]))",
        },
    ],
});
