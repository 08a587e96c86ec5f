import {cookie} from "@web/core/browser/cookie";
import {registry} from "@web/core/registry";

/**
 * The administrator connects a store: from the provider's form to the BTCPay Server, which approves
 * by itself, and back. The test tells the server's address in the cookie `btcpay_server`.
 */
registry.category("web_tour.tours").add("btcpay_connect_tour", {
    steps: () => [
        {
            content: "The store is not connected",
            trigger: ".o_field_widget[name=btcpay_health]:contains(Not connected)",
        },
        {
            content: "Open the wizard",
            trigger: "button[name=action_btcpay_connect]:contains(Connect to BTCPay Server)",
            run: "click",
        },
        {
            content: "An address where there is no BTCPay Server",
            trigger: ".modal .o_field_widget[name=server_url] input",
            run: `edit ${window.location.origin}`,
        },
        {
            content: "Try it",
            trigger: ".modal button[name=action_connect]",
            run: "click",
        },
        {
            content: "It says what is wrong",
            trigger: ".o_error_dialog:contains(There is no BTCPay Server at)",
        },
        {
            content: "Close the message",
            trigger: ".o_error_dialog .modal-footer button",
            run: "click",
        },
        {
            content: "Type the right address",
            trigger: ".modal:not(.o_error_dialog) .o_field_widget[name=server_url] input",
            run: `edit ${decodeURIComponent(cookie.get("btcpay_server"))}`,
        },
        {
            content: "Go to the server, which sends us back",
            trigger: ".modal button[name=action_connect]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The store is connected",
            trigger: ".o_field_widget[name=btcpay_health]:contains(/^Connected$/)",
        },
        {
            content: "The next step is told",
            trigger: "[name=btcpay_next_step]:contains(try it)",
        },
        {
            content: "It is the store that was chosen",
            trigger: ".o_field_widget[name=btcpay_store_name]:contains(Demo Shop)",
        },
        {
            content: "It can be disconnected",
            trigger: "button[name=action_btcpay_disconnect]:contains(Disconnect)",
        },
    ],
});
