import {cookie} from "@web/core/browser/cookie";
import {registry} from "@web/core/registry";

/**
 * The administrator connects a store with a key made at the server by hand, which may do more than
 * it has to. The test tells the server's address and the key in cookies.
 */
registry.category("web_tour.tours").add("btcpay_manual_setup_tour", {
    steps: () => [
        {
            content: "What is needed is told first",
            trigger: "[name=btcpay_first_steps]:contains(To take bitcoin you need)",
        },
        {
            content: "Open the wizard",
            trigger: "button[name=action_btcpay_connect_by_hand]",
            run: "click",
        },
        {
            content: "Type the address",
            trigger: ".modal .o_field_widget[name=server_url] input",
            run: `edit ${decodeURIComponent(cookie.get("btcpay_server"))}/login?ReturnUrl=x`,
        },
        {
            content: "Type the key",
            trigger: ".modal .o_field_widget[name=api_key] input",
            run: `edit ${cookie.get("btcpay_key")}`,
        },
        {
            content: "Have it checked",
            trigger: ".modal button[name=action_check_key]",
            run: "click",
        },
        {
            content: "The key may do more than is needed",
            trigger: ".modal [name=excess]:contains(canmodifypaymentrequests)",
        },
        {
            content: "Take it all the same",
            trigger: ".modal .o_field_widget[name=is_excess_accepted] input",
            run: "click",
        },
        {
            content: "Connect",
            trigger: ".modal button[name=action_connect_by_hand]",
            run: "click",
        },
        {
            content: "The store is connected, and the warning stays",
            trigger: "[name=btcpay_excess]:contains(canmodifypaymentrequests)",
        },
        {
            content: "Whether all is well can be seen",
            trigger: "[name=o_btcpay_health] tr[data-level=success]:contains(Server)",
        },
    ],
});
