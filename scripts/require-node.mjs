// Old syntax on purpose: a Node that is too old must get as far as the message.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    'Carillon needs Node 24 or later, this is ' +
      process.version +
      '; on linux-x64, linux-arm64 and win-x64 npm brings it along: run npm ci',
  );
  process.exit(1);
}
