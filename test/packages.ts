// Prints the Debian packages that the tests need, for apt: `npm run -s test:packages`.

import { packages } from './support/programs.ts';

console.log(packages().join(' '));
