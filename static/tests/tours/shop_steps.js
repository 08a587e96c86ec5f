// The shop is not a dependency of the module: nothing of its tour helpers can be used.
export const goToPayment = [
    {
        content: "Open the product",
        trigger: '.oe_product_cart a:contains("Hat of the tests")',
        run: "click",
        expectUnloadPage: true,
    },
    {
        content: "Put it in the cart",
        trigger: "#add_to_cart",
        run: "click",
    },
    {
        content: "Go to the cart",
        trigger: 'a sup.my_cart_quantity:contains("1")',
        run: "click",
        expectUnloadPage: true,
    },
    {
        // The address is known and nothing is delivered: on to the payment at once.
        content: "Go to the checkout",
        trigger: 'a[href^="/shop/checkout"]',
        run: "click",
        expectUnloadPage: true,
    },
];
