// Before each test file: the programs under test talk to people. Where these are set, Ink does not draw and chalk has no colours.

for (const name of ['CI', 'CONTINUOUS_INTEGRATION', 'GITHUB_ACTIONS']) delete process.env[name];
