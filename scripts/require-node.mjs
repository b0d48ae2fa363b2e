// Old syntax on purpose: a Node that is too old must get as far as the message.
// Node has Argon2 since 24.7.
var parts = process.versions.node.split('.').map(Number);
if (parts[0] < 24 || (parts[0] === 24 && parts[1] < 7)) {
  console.error(
    'Carillon needs Node 24.7 or later, this is ' +
      process.version +
      '; on linux-x64, linux-arm64 and win-x64 npm brings it along: run npm ci',
  );
  process.exit(1);
}
