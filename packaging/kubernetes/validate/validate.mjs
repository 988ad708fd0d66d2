// `npm run check:kubernetes`: the manifests by the schemas that package-lock.json here names.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const folder = join(import.meta.dirname, '..');
const packages = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator' };
let count = 0;
for (const name of readdirSync(folder).filter((one) => one.endsWith('.yaml')))
  for (const document of parseAllDocuments(readFileSync(join(folder, name), 'utf8'), { merge: true })) {
    if (document.errors.length > 0) throw document.errors[0];
    const object = document.toJS();
    const [group] = object.apiVersion.split('/');
    const models = await import(`${packages[group] ?? 'kubernetes-models'}/${object.apiVersion}`);
    new models[object.kind](object).validate();
    count += 1;
    console.log(`${name}: ${object.kind} ${object.metadata.name}`);
  }
if (count < 5) throw new Error('manifests are missing');
