import {registry} from "@web/core/registry";

/**
 * Half of an order is refunded from its form. The customer claims it at the server and the merchant
 * pays it meanwhile: the test goes on there, and comes back with the second tour.
 */
registry.category("web_tour.tours").add("btcpay_refund_tour", {
    steps: () => [
        {
            content: "The order is paid",
            trigger: ".o_field_widget[name=btcpay_status_text]:contains(/^Paid$/)",
        },
        {
            content: "Open the wizard",
            trigger: ".o_statusbar_buttons button[name=action_btcpay_refund]",
            run: "click",
        },
        {
            content: "Every choice says what it comes to",
            trigger: ".modal .o_field_widget[name=variant]:contains(0.002 BTC)",
        },
        {
            content: "Refund an amount",
            trigger: ".modal .o_field_widget[name=scope] input[data-value=amount]",
            run: "click",
        },
        {
            content: "Half of it",
            trigger: ".modal .o_field_widget[name=amount] input:enabled",
            run: "edit 50.00 && click body",
        },
        {
            content: "The choices follow",
            trigger: ".modal .o_field_widget[name=variant]:contains(0.001 BTC)",
        },
        {
            content: "Refund it",
            trigger: ".modal button[name=action_refund]",
            run: "click",
        },
        {
            content: "It has a link",
            trigger: ".modal .o_field_widget[name=btcpay_refund_link]:contains(/pull-payments/)",
        },
        {
            content: "Nothing is paid out yet",
            trigger:
                ".modal .o_field_widget[name=btcpay_status_text]:contains(of $ 50.00 paid out)",
        },
        {
            content: "Close it",
            trigger: ".modal .btn-close",
            run: "click",
        },
        {
            content: "The order is there",
            trigger: "body:not(:has(.modal)) .o_field_widget[name=btcpay_status_text]",
        },
    ],
});

registry.category("web_tour.tours").add("btcpay_refund_done_tour", {
    steps: () => [
        {
            content: "Open the Bitcoin payment",
            trigger: "button[name=action_btcpay_view_transactions]",
            run: "click",
        },
        {
            content: "Half of it is refunded",
            trigger: ".o_field_widget[name=btcpay_refunded_amount]:contains(50.00)",
        },
        {
            content: "Look at the refunds",
            trigger: ".o_notebook .nav-link:contains(Refunds)",
            run: "click",
        },
        {
            content: "It is done",
            trigger: ".o_field_widget[name=btcpay_refund_ids] td:contains(Refund paid out)",
            run: "click",
        },
        {
            content: "Both payouts are there",
            trigger:
                ".modal .o_field_widget[name=btcpay_payout_ids] tr.o_data_row:eq(1):contains(Paid out)",
        },
    ],
});

/**
 * What the wizard and the refund say, where the network took a fee of a further payment: the test
 * compares mail, claim page, payout, books and portal with the same figures.
 */
const FIGURES = {
    // Paid 100.00 + 100.00 for 100.00.
    two_payments: {
        button: "action_btcpay_refund",
        variant: "fiat",
        received: "195.00",
        amount: "195.00",
        text: "$ 195.00 (0.0039 BTC today)",
        pulled: "$ 195.00",
    },
    // The surplus of the first.
    surplus: {
        button: "action_btcpay_refund_decided",
        variant: "rate_then",
        received: "195.00",
        amount: "95.00",
        text: "0.0019 BTC",
        pulled: "0.0019 BTC",
    },
};

for (const [name, figures] of Object.entries(FIGURES)) {
    registry.category("web_tour.tours").add(`btcpay_refund_${name}_tour`, {
        steps: () => [
            {
                content: "Open the wizard",
                trigger: `button[name=${figures.button}]:visible`,
                run: "click",
            },
            {
                content: "It says what was received",
                trigger: `.modal .o_field_widget[name=received_amount]:contains(/^\\$\\s${figures.received}$/)`,
            },
            {
                content: "Choose what the customer gets",
                trigger: `.modal .o_field_widget[name=variant] input[data-value=${figures.variant}]`,
                run: "click",
            },
            {
                content: "It says what that comes to",
                trigger: `.modal .o_field_widget[name=variant]:contains(${figures.text})`,
            },
            {
                content: "It is what is refunded",
                trigger: `.modal .o_field_widget[name=amount]:contains(/^\\$\\s${figures.amount}$/)`,
            },
            {
                content: "Refund it",
                trigger: ".modal button[name=action_refund]",
                run: "click",
            },
            {
                content: "The refund is of that amount",
                trigger: `.modal .o_field_widget[name=btcpay_refund_amount]:contains(/^\\$\\s${figures.amount}$/)`,
            },
            {
                content: "And so is what is paid out",
                trigger: `.modal .o_field_widget[name=btcpay_pull_text]:contains(${figures.pulled})`,
            },
            {
                content: "Close it",
                trigger: ".modal .btn-close",
                run: "click",
            },
            {
                content: "The order is there",
                trigger: "body:not(:has(.modal)) .o_field_widget[name=btcpay_status_text]",
            },
        ],
    });
}
