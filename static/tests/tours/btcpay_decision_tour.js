import {registry} from "@web/core/registry";

/** A late payment is found by the counter, and accepted from the order's banner. */
registry.category("web_tour.tours").add("btcpay_decision_tour", {
    steps: () => [
        {
            content: "One payment is to be decided",
            trigger: ".o_btcpay_decisions_button:contains(1)",
            run: "click",
        },
        {
            content: "It is listed, and why",
            trigger:
                ".o_data_row:contains(Paid late):contains(Accept the late payment or refund it)",
        },
        {
            content: "Open the order",
            trigger: ".o_data_row button[name=action_btcpay_view_document]",
            run: "click",
        },
        {
            content: "Accept the payment from the banner",
            trigger:
                "div[name=btcpay_decision]:contains(Paid late) button[name=action_btcpay_accept_late]",
            run: "click",
        },
        {
            content: "Confirm",
            trigger: ".modal .btn-primary",
            run: "click",
        },
        {
            content: "The banner is gone",
            trigger:
                ".o_form_view:not(:has(div[name=btcpay_decision])) .oe_stat_button:contains(Paid late, accepted)",
        },
        {
            content: "The counter, too",
            trigger: ".o_menu_systray:not(:has(.o_btcpay_decisions_button))",
        },
    ],
});
