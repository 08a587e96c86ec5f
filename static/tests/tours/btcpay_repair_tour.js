import {registry} from "@web/core/registry";

/**
 * The key was revoked at the server: the administrator sees it on the provider, follows what it says,
 * and the server, which approves by itself, sends them back.
 */
registry.category("web_tour.tours").add("btcpay_repair_tour", {
    steps: () => [
        {
            content: "It is not said that all is well",
            trigger: ".o_field_widget[name=btcpay_health]:contains(API key refused)",
        },
        {
            content: "The banner says why, and what to do",
            trigger: "[name=btcpay_connection_problem]:contains(no longer accepts the API key)",
        },
        {
            content: "What is wrong is at its place among all that was looked at",
            trigger: "[name=o_btcpay_health] tr[data-level=danger]:contains(API key)",
        },
        {
            content: "Somebody was asked",
            trigger: ".o-mail-Activity:contains(cannot be used)",
        },
        {
            content: "Authorize again",
            trigger: "button.btn-primary[name=action_btcpay_connect]:contains(Authorize Again)",
            run: "click",
        },
        {
            content: "The address is there already; go to the server, which sends us back",
            trigger: ".modal button[name=action_connect]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The store is connected again",
            trigger: ".o_field_widget[name=btcpay_health]:contains(/^Connected$/)",
        },
        {
            content: "The banner is gone",
            trigger: ".o_form_view:not(:has([name=btcpay_connection_problem]))",
        },
        {
            content: "All that was looked at is well, the key too",
            trigger:
                "[name=o_btcpay_health] tr[data-level=success]:contains(API key):contains(Accepted)",
        },
        {
            content: "Nobody is asked any more",
            trigger:
                ".o-mail-Chatter:contains(The store is connected again):not(:has(.o-mail-Activity))",
        },
    ],
});
