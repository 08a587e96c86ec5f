import {registry} from "@web/core/registry";
import {goToPayment} from "@payment_btcpay/../tests/tours/shop_steps";

registry.category("web_tour.tours").add("payment_btcpay.other_method", {
    url: "/shop?search=Hat of the tests",
    steps: () => [
        ...goToPayment,
        {
            content: "Choose Lightning, whose node is down",
            trigger: 'input[name="o_payment_radio"][data-payment-method-code="btcpay_lightning"]',
            run: "click",
        },
        {
            content: "Pay",
            trigger: 'button[name="o_payment_submit_button"]:not(:disabled)',
            run: "click",
        },
        {
            content: "Bitcoin is offered in the same step",
            trigger: '.modal-body:contains("You can pay with Bitcoin instead.")',
        },
        {
            content: "Leave it by the keyboard, whose focus is on the offer",
            trigger:
                '[role="dialog"][aria-label] .modal-footer button:contains("Pay with Bitcoin"):focus',
            run: "press Escape",
        },
        {
            content: "The focus is on the button again: press it",
            trigger:
                'body:not(:has(.o_dialog)) button[name="o_payment_submit_button"]:focus:visible',
            run: "press Enter",
        },
        {
            content: "The focus stays in the dialog",
            trigger: '.modal-footer button:contains("Pay with Bitcoin"):focus',
            run: "press Tab",
        },
        {
            content: "Go past its last button",
            trigger: '.modal-footer button:contains("Cancel"):focus',
            run: "press Tab",
        },
        {
            content: "Pay with Bitcoin",
            trigger: '.modal-footer button:contains("Pay with Bitcoin"):focus',
            run: "press Enter",
            expectUnloadPage: true,
        },
        {
            content: "The status page goes on to the confirmation by itself",
            trigger: '[name="order_confirmation"]',
            timeout: 60000,
        },
    ],
});

registry.category("web_tour.tours").add("payment_btcpay.purchase", {
    url: "/shop?search=Hat of the tests",
    steps: () => [
        ...goToPayment,
        {
            content: "Choose Bitcoin",
            trigger: 'input[name="o_payment_radio"][data-payment-method-code="btcpay"]',
            run: "click",
        },
        {
            // The server's checkout page pays by itself, and comes back once it is settled.
            content: "Pay",
            trigger: 'button[name="o_payment_submit_button"]:not(:disabled)',
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The status page goes on to the confirmation by itself",
            trigger: '[name="order_confirmation"]',
            timeout: 60000,
        },
    ],
});
