// The rules that the Odoo Community Association has, each an error; layout is prettier's.
const js = require("@eslint/js");
const jsdoc = require("eslint-plugin-jsdoc");
const globals = require("globals");

const ALSO = [
    "array-callback-return",
    "dot-notation",
    "eqeqeq",
    "no-alert",
    "no-caller",
    "no-duplicate-imports",
    "no-else-return",
    "no-eq-null",
    "no-eval",
    "no-extend-native",
    "no-extra-bind",
    "no-implied-eval",
    "no-inner-declarations",
    "no-iterator",
    "no-lone-blocks",
    "no-lonely-if",
    "no-multi-str",
    "no-new",
    "no-new-func",
    "no-new-wrappers",
    "no-object-constructor",
    "no-param-reassign",
    "no-proto",
    "no-return-assign",
    "no-script-url",
    "no-self-compare",
    "no-sequences",
    "no-shadow",
    "no-throw-literal",
    "no-unmodified-loop-condition",
    "no-unneeded-ternary",
    "no-unused-expressions",
    "no-useless-call",
    "no-useless-computed-key",
    "no-useless-concat",
    "no-useless-constructor",
    "no-useless-rename",
    "no-void",
    "operator-assignment",
    "prefer-const",
    "radix",
    "spaced-comment",
    "yoda",
];

module.exports = [
    {ignores: [".dev/**"]},
    js.configs.recommended,
    {
        files: ["**/*.js"],
        plugins: {jsdoc},
        languageOptions: {
            ecmaVersion: 2024,
            sourceType: "module",
            globals: {...globals.browser, odoo: "readonly", luxon: "readonly"},
        },
        linterOptions: {reportUnusedDisableDirectives: "error"},
        rules: {
            ...Object.fromEntries(ALSO.map((name) => [name, "error"])),
            complexity: ["error", 15],
            // An arrow that does nothing says so, and what is called later may be defined below
            "no-empty-function": ["error", {allow: ["arrowFunctions"]}],
            "no-use-before-define": ["error", {functions: false, variables: false}],
            "jsdoc/check-tag-names": "error",
            "jsdoc/check-types": "error",
            "jsdoc/check-param-names": "error",
        },
    },
    {
        // Pages of the stand-in BTCPay Server: plain scripts
        files: ["dev/btcpay/**/*.js"],
        languageOptions: {sourceType: "script"},
    },
    {
        files: ["**/*.cjs"],
        languageOptions: {sourceType: "commonjs", globals: globals.node},
    },
];
