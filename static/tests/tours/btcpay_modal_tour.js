import {registry} from "@web/core/registry";
import {goToPayment} from "@payment_btcpay/../tests/tours/shop_steps";

const PAY = 'button[name="o_payment_submit_button"]:not(:disabled):visible';

/** The stand-in's page closes itself: a tour cannot press a button on another site. */
const closedTwice = [
    {
        content: "Choose Bitcoin",
        trigger: 'input[name="o_payment_radio"][data-payment-method-code="btcpay"]',
        run: "click",
    },
    {
        content: "Open the invoice over the page",
        trigger: PAY,
        run: "click",
    },
    {
        content: "It has the focus, and nothing behind it can be reached",
        trigger: '#wrapwrap[inert] input[name="o_payment_radio"]',
        run: () => {
            if (document.activeElement.name !== "btcpay") {
                throw new Error(`The focus is on ${document.activeElement.outerHTML}.`);
            }
        },
    },
    {
        content: "Once it is closed the customer is where they were, on the button",
        trigger: `body:not(:has(iframe[name="btcpay"])) #wrapwrap:not([inert]) ${PAY}:focus`,
        timeout: 20000,
        run: "click",
    },
    {
        content: "Once it is closed again, there is another way to pay",
        trigger: `body:not(:has(iframe[name="btcpay"])) #wrapwrap:not([inert]):has(${PAY}:focus)
            input[name="o_payment_radio"]:not([data-payment-method-code="btcpay"])`,
        timeout: 20000,
        run: "click",
    },
    {
        content: "Which can be chosen",
        trigger: PAY,
    },
];

const openDialog = (target) => [
    {
        content: "Pay",
        trigger: `a[data-bs-target="${target}"]:visible`,
        run: "click",
    },
];

const tours = registry.category("web_tour.tours");
tours.add("payment_btcpay.modal_closed_on_page", {steps: () => closedTwice});
tours.add("payment_btcpay.modal_closed_on_order", {
    steps: () => [...openDialog("#modalaccept"), ...closedTwice],
});
tours.add("payment_btcpay.modal_closed_on_invoice", {
    steps: () => [...openDialog("#pay_with"), ...closedTwice],
});

const paid = [
    {
        content: "Choose Bitcoin",
        trigger: 'input[name="o_payment_radio"][data-payment-method-code="btcpay"]',
        run: "click",
    },
    {
        content: "Pay, over this page or on the server's",
        trigger: PAY,
        run: "click",
        expectUnloadPage: true,
    },
    {
        content: "The customer is back, and told that it is paid",
        trigger: ".alert-success",
        timeout: 40000,
    },
];
tours.add("payment_btcpay.modal_paid", {steps: () => paid});

tours.add("payment_btcpay.modal_aborted", {
    steps: () => {
        const [choose, ...pay] = paid;
        return [
            choose,
            {
                content: "Pay while the connection is down",
                trigger: PAY,
                run: async ({anchor}) => {
                    const {browser} = odoo.loader.modules.get("@web/core/browser/browser");
                    const {XMLHttpRequest} = browser;
                    browser.XMLHttpRequest = class extends XMLHttpRequest {
                        open(method) {
                            browser.XMLHttpRequest = XMLHttpRequest;
                            super.open(method, "http://127.0.0.1:9/");
                        }
                    };
                    console.error = () => {}; // The tour would take it for a mistake.
                    anchor.click();
                    if (!anchor.classList.contains("o_btn_loading")) {
                        throw new Error("The button does not show that something happens.");
                    }
                },
            },
            {
                content: "The page is not blocked",
                trigger: `body:not(:has(.o_blockUI, .o_btn_loading)) ${PAY}`,
            },
            ...pay,
        ];
    },
});

const chooseDiscounted = [
    {
        content: "See what is saved, and choose Lightning",
        trigger: `li:has([name="o_btcpay_discount"]:contains("You pay $ 95.00"))
            input[name="o_payment_radio"][data-payment-method-code="btcpay_lightning"]`,
        run: "click",
    },
];

const payOtherwise = (once = "") => [
    {
        content: "Choose another way to pay, for the cart's own total",
        trigger: `body${once}:not(:has(iframe[name="btcpay"])):has(
            [name="o_order_total"]:contains("100.00")
        ) input[name="o_payment_radio"][data-payment-method-code="wire_transfer"]`,
        timeout: 20000,
        run: "click",
    },
    {
        content: "Pay",
        trigger: PAY,
        run: "click",
        expectUnloadPage: true,
    },
    {
        content: "The order is made, by its own total",
        trigger: 'body:has([name="order_confirmation"]) [name="o_order_total"]:contains("100.00")',
        timeout: 40000,
    },
];

tours.add("payment_btcpay.discount_then_other_way", {
    steps: () => [
        ...chooseDiscounted,
        {
            content: "Open the invoice over the page, which is closed unpaid",
            trigger: PAY,
            run: "click",
        },
        ...payOtherwise(`:has(${PAY}:focus)`),
    ],
});

tours.add("payment_btcpay.discount_in_two_tabs_then_other_way", {
    steps: () => [
        ...chooseDiscounted,
        {
            // The tour itself would go on in a second tab as well.
            content: "Have another tab do what it does when the same is paid there",
            trigger: `#o_payment_form:has([data-payment-method-code="btcpay_lightning"]:checked)`,
            run: async ({anchor}) => {
                const {rpc} = odoo.loader.modules.get("@web/core/network/rpc");
                const {dataset} = anchor.querySelector('[name="o_payment_radio"]:checked');
                await rpc(anchor.dataset.transactionRoute, {
                    provider_id: Number(dataset.providerId),
                    payment_method_id: Number(dataset.paymentOptionId),
                    token_id: null,
                    amount: Number(anchor.dataset.amount),
                    flow: "redirect",
                    tokenization_requested: false,
                    landing_route: anchor.dataset.landingRoute,
                    is_validation: false,
                    access_token: anchor.dataset.accessToken,
                });
            },
        },
        {
            content: "Go to the server's page, and come back with the browser's button",
            trigger: PAY,
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The page can be used again",
            trigger: "body:not(:has(.o_blockUI, .o_btn_loading)) #o_payment_form",
            timeout: 20000,
        },
        ...payOtherwise(),
    ],
});

const fill = (selector, value) => ({
    content: `Fill in ${selector}`,
    trigger: selector,
    run: `edit ${value}`,
});

tours.add("payment_btcpay.modal_signup", {
    url: "/shop?search=Hat of the tests",
    steps: () => [
        ...goToPayment, // The shop wants an account.
        {
            content: "Make an account",
            trigger: 'a[href*="/web/signup"]:visible',
            run: "click",
            expectUnloadPage: true,
        },
        fill('input[name="login"]', "newcomer@example.com"),
        fill('input[name="name"]', "Newcomer"),
        fill('input[name="password"]', "a long password"),
        fill('input[name="confirm_password"]', "a long password"),
        {
            content: "Sign up",
            trigger: '.oe_signup_form button[type="submit"]',
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "On to the payment",
            trigger: 'a[name="website_sale_main_button"]:visible',
            run: "click",
            expectUnloadPage: true,
        },
        ...paid,
    ],
});
