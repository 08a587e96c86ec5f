// As the Odoo Community Association has it; width and indentation are those of .editorconfig.
module.exports = {
    plugins: [require.resolve("@prettier/plugin-xml")],
    bracketSpacing: false,
    trailingComma: "es5",
    xmlWhitespaceSensitivity: "preserve",
};
