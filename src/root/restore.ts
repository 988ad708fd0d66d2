/**
 * saveconfig.json → the tree. Every part that cannot be restored is reported in rtslib's words (targetcli.md 8.6), the
 * rest is restored all the same, and what was left out is kept for the next save.
 */

import type { Attributes, AttributeTable } from '../attribute.ts';
import { backstores } from '../backstore/index.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { StorageObject } from '../scsi/storage-object.ts';
import { type Auth, authKeys, setAuth } from '../target/auth.ts';
import type { FabricState } from '../target/fabric.ts';
import type { Target } from '../target/target.ts';
import type { NodeAcl, Tpg } from '../target/tpg.ts';
import type { OperationType, Surroundings, Values } from './operation.ts';
import { placeOf } from './place.ts';
import { isPartial, type RestoreFilter } from './restore-filter.ts';
import { readAluaGroups } from './saved-alua.ts';
import { checkShape, isRaw, listOf, others, rawOf } from './saved-shape.ts';
import { storageObjectOperations } from './storage-object-operations.ts';
import { targetOperations } from './target-operations.ts';
import { tpgOperations } from './tpg-operations.ts';
import type { Kept, KeptList, Raw, Tree } from './tree.ts';

const steps: readonly OperationType[] = [...storageObjectOperations, ...targetOperations, ...tpgOperations];

/** @throws OperatorError when `saved` is no saved configuration at all. @returns what could not be restored, a line each */
export async function restore(
  tree: Tree,
  saved: unknown,
  around: Surroundings,
  filter: RestoreFilter = {},
): Promise<string[]> {
  return new Restoration(tree, around).run(checkShape(saved), filter);
}

const chapKeys = authKeys.map((key) => `chap_${key}`);

export const couldNotCreate = (name: string, reason: string): string =>
  `Could not create StorageObject ${name}: ${reason}`;

class Restoration {
  readonly #tree: Tree;
  readonly #around: Surroundings;
  readonly #errors: string[] = [];

  constructor(tree: Tree, around: Surroundings) {
    this.#tree = tree;
    this.#around = around;
  }

  async run(saved: ReturnType<typeof checkShape>, filter: RestoreFilter): Promise<string[]> {
    const partial = isPartial(filter);
    for (const [number, raw] of saved.storage_objects.entries())
      if (!partial || (filter.storageObject !== undefined && rawOf(raw)['name'] === filter.storageObject)) {
        await this.#storageObject(raw, number);
        if (partial) break;
      }
    if (!partial) {
      for (const [number, raw] of saved.fabric_modules.entries()) this.#fabric(raw, number);
      Object.assign(this.#tree.kept.top, others(saved, ['fabric_modules', 'storage_objects', 'targets']));
    }
    for (const [number, raw] of saved.targets.entries())
      if (!partial || (filter.target !== undefined && rawOf(raw)['wwn'] === filter.target))
        await this.#target(raw, number);
    return this.#errors;
  }

  /** Says what failed; true when it went well. */
  async #try(line: (reason: string) => string, step: () => unknown): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (error instanceof OperatorError || (error instanceof Error && 'code' in error)) {
        this.#errors.push(line(reasonOf(error)));
        return false;
      }
      throw error;
    }
  }

  async #do(path: string, verb: string, params: Values): Promise<Values> {
    const place = placeOf(this.#tree, path);
    const type = steps.find((known) => known.at === place.kind && known.verb === verb)!;
    return (await type.apply(this.#tree, place as never, params, this.#around)).params;
  }

  async #storageObject(raw: unknown, number: number): Promise<void> {
    const { kept } = this.#tree;
    const fail = (line: string) => {
      this.#errors.push(line);
      if (isRaw(raw)) kept.storageObjects.push(raw);
    };
    if (!isRaw(raw) || typeof raw['name'] !== 'string') return fail(`'name' not defined in storage object ${number}`);
    const name = raw['name'];
    const backstore = backstores.find(
      ({ plugin, handler }) =>
        plugin === raw['plugin'] && (handler === undefined || String(raw['config']).startsWith(`${handler}/`)),
    );
    if (!backstore) return fail(`'plugin' not defined or invalid in storageobject ${name}`);
    const config: Record<string, string | number | boolean> = {};
    for (const [key, { type, required }] of Object.entries(backstore.keys)) {
      const value = raw[key];
      if (typeof value === type) config[key] = value as string | number | boolean;
      else if (value !== undefined && value !== null)
        return fail(`Could not create StorageObject ${name}: '${key}' must be a ${type}`);
      else if (required)
        return fail(
          `Could not create StorageObject ${name}: ${key === 'size' ? 'Path is to a file, size needed' : `'${key}' is missing`}`,
        );
    }
    const wwn = typeof raw['wwn'] === 'string' ? raw['wwn'] : '';
    const path = `/backstores/${backstore.name}`;
    const created = await this.#try(
      (reason) => couldNotCreate(name, reason),
      () => this.#do(path, 'create', { name, wwn, settled: { config, attributes: {} } }),
    );
    if (!created) return void kept.storageObjects.push(raw);
    const storageObject = this.#tree.storageObject(`${path}/${name}`)!;
    const known = [
      'name',
      'plugin',
      'wwn',
      'attributes',
      'alua_tpgs',
      'exists',
      'buffered_mode',
      ...Object.keys(backstore.keys),
    ];
    const strange = others(raw, known);
    for (const key of Object.keys(strange))
      this.#errors.push(`Storage Object ${backstore.plugin}/${name}: unknown key '${key}' kept in the file, not used`);
    const label = `Storage Object ${backstore.plugin}/${name}: `;
    const attributes = await this.#attributes(storageObject.attributes, raw['attributes'], 'attribute', label);
    storageObject.unknown = { ...strange, ...attributes };
    if (Array.isArray(raw['alua_tpgs'])) this.#aluaGroups(storageObject, raw['alua_tpgs'].filter(isRaw), label);
  }

  #aluaGroups(storageObject: StorageObject, saved: readonly Raw[], label: string): void {
    const { groups, refused, errors } = readAluaGroups(saved);
    storageObject.aluaGroups = groups;
    this.#errors.push(...errors.map((line) => `${label}${line}`));
    for (const raw of refused) this.#keep(storageObject, 'alua_tpgs', raw);
  }

  /** @returns `{ [key]: … }` with the attributes that we do not have, empty when there are none */
  async #attributes(
    attributes: Attributes<AttributeTable>,
    saved: unknown,
    noun: 'attribute' | 'parameter',
    label = '',
  ): Promise<Raw> {
    const strange: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(rawOf(saved))) {
      if (!(name in attributes.table)) {
        this.#errors.push(`${label}Cannot find ${noun}: ${name}`);
        strange[name] = value;
      } else if (!attributes.table[name]?.readOnly)
        await this.#try(
          (reason) => `${label}${reason}`,
          () => attributes.set(name, attributes.check(name, String(value), noun)),
        );
    }
    return Object.keys(strange).length > 0 ? { [`${noun}s`]: strange } : {};
  }

  #fabric(raw: unknown, number: number): void {
    const { kept } = this.#tree;
    if (!isRaw(raw) || typeof raw['name'] !== 'string') {
      this.#errors.push(`'name' not defined in fabricmodule ${number}`);
      if (isRaw(raw)) kept.fabricModules.push(raw);
      return;
    }
    const state = this.#tree.fabrics.get(raw['name']);
    if (!state) return void kept.fabricModules.push(raw);
    state.discoveryAuthEnabled = raw['discovery_enable_auth'] === true || raw['discovery_enable_auth'] === 1;
    this.#auth(state.discoveryAuth, raw, 'discovery_', `Could not set fabric ${state.fabric.name} attribute`);
    state.unknown = others(raw, ['name', 'discovery_enable_auth', ...authKeys.map((key) => `discovery_${key}`)]);
  }

  #auth(auth: Auth, raw: Raw, prefix: string, line: string): void {
    for (const key of authKeys) {
      const value = raw[prefix + key];
      if (value === undefined || value === null || value === '') continue;
      try {
        setAuth(auth, key, String(value));
      } catch {
        this.#errors.push(`${line} '${prefix}${key}'`);
      }
    }
  }

  async #target(raw: unknown, number: number): Promise<void> {
    const { kept } = this.#tree;
    const fail = (line: string) => {
      this.#errors.push(line);
      if (isRaw(raw)) kept.targets.push(raw);
    };
    if (!isRaw(raw) || typeof raw['wwn'] !== 'string') return fail(`'wwn' not defined in target ${number}`);
    const wwn = raw['wwn'];
    if (typeof raw['fabric'] !== 'string') return fail(`target ${wwn} missing 'fabric' field`);
    const state = this.#tree.fabrics.get(raw['fabric']);
    if (!state) return fail(`Unknown fabric '${raw['fabric']}'`);
    const tpgs = listOf(raw['tpgs']);
    const first = rawOf(tpgs[0]);
    let made = '';
    const created = await this.#try(
      (reason) => `Could not create Target object: ${reason}`,
      async () => {
        made = String((await this.#do(`/${state.fabric.name}`, 'create', { wwn, settled: settledTpg(first) }))['wwn']);
      },
    );
    if (!created) return void kept.targets.push(raw);
    const target = state.targets.get(made)!;
    target.unknown = others(raw, ['wwn', 'fabric', 'tpgs']);
    for (const tpg of tpgs) await this.#tpg(state, target, rawOf(tpg));
  }

  async #tpg(state: FabricState, target: Target, raw: Raw): Promise<void> {
    const path = `/${state.fabric.name}/${target.wwn}`;
    let tpg = state.fabric.tpgNodes ? undefined : target.tpgs.get(1);
    if (!tpg) {
      const tag = typeof raw['tag'] === 'number' ? { tag: raw['tag'] } : {};
      const created = await this.#try(
        (reason) => `Could not create TPG ${raw['tag'] ?? ''} of ${target.wwn}: ${reason}`,
        async () => {
          const params = await this.#do(path, 'create', { ...tag, settled: settledTpg(raw) });
          tpg = target.tpgs.get(Number(params['tag']));
        },
      );
      if (!created || !tpg) return this.#keep(target, 'tpgs', raw);
    }
    await this.#inTpg(tpg, raw);
  }

  async #inTpg(tpg: Tpg, raw: Raw): Promise<void> {
    const strangeAttributes = await this.#attributes(tpg.attributes, allAttributes(tpg, raw), 'attribute');
    const strangeParameters = await this.#attributes(tpg.parameters, raw['parameters'], 'parameter');
    for (const lun of listOf(raw['luns'])) await this.#lun(tpg, rawOf(lun));
    for (const portal of listOf(raw['portals'])) await this.#portal(tpg, rawOf(portal));
    for (const acl of listOf(raw['node_acls'])) await this.#acl(tpg, rawOf(acl));
    this.#auth(tpg.auth, raw, 'chap_', `Could not set tpg ${tpg.tag} attribute`);
    const known = [
      'tag',
      'enable',
      'relative_port_id',
      'nexus_wwn',
      'attributes',
      'parameters',
      'luns',
      'portals',
      'node_acls',
      ...tpg.attributes.besideNames,
      ...chapKeys,
    ];
    tpg.unknown = { ...others(raw, known), ...strangeAttributes, ...strangeParameters };
    tpg.enabled = raw['enable'] !== false && raw['enable'] !== 0;
  }

  async #lun(tpg: Tpg, raw: Raw): Promise<void> {
    const { index } = raw;
    const fail = (line: string) => {
      this.#errors.push(line);
      this.#keep(tpg, 'luns', raw);
    };
    if (typeof index !== 'number') return fail(`'index' missing from a LUN in TPG ${tpg.tag}`);
    const match = /^\/backstores\/([^/]+)\/([^/]+)$/.exec(String(raw['storage_object']));
    if (!match) return fail(`Malformed storage object field for LUN ${index}`);
    const storageObject = this.#tree.storageObjectOf(match[1] ?? '', match[2] ?? '');
    if (!storageObject) return fail(`Could not find matching StorageObject for LUN ${index}`);
    const settled = typeof raw['alias'] === 'string' ? { settled: { alias: raw['alias'] } } : {};
    const created = await this.#try(
      (reason) => `Creating TPG ${tpg.tag} LUN index ${index} failed: ${reason}`,
      () => this.#do(`${tpg.path}/luns`, 'create', { storage_object: storageObject.path, lun: index, ...settled }),
    );
    const lun = tpg.luns.get(index);
    if (!created || !lun) return this.#keep(tpg, 'luns', raw);
    const group = raw['alua_tg_pt_gp_name'];
    const unknown = others(raw, ['index', 'storage_object', 'alias', 'alua_tg_pt_gp_name', 'attach']);
    const isGroup = group === null || storageObject.aluaGroups.some(({ name }) => name === group);
    const aluaGroup = isGroup ? (group as string | null) : lun.aluaGroup;
    if (!isGroup && group !== undefined)
      this.#errors.push(`Could not set alua_tg_pt_gp_name '${group}' of LUN ${index}`);
    storageObject.exports.delete(lun);
    const attached = raw['attach'] === true && tpg.target.fabric.local !== undefined;
    const restored = { ...lun, unknown, aluaGroup, attached };
    tpg.luns.set(index, restored);
    storageObject.exports.add(restored);
  }

  async #portal(tpg: Tpg, raw: Raw): Promise<void> {
    const { ip_address: address, port } = raw;
    if (typeof address !== 'string') {
      this.#errors.push(`'ip_address' field missing from a portal in TPG ${tpg.tag}`);
      return this.#keep(tpg, 'portals', raw);
    }
    if (typeof port !== 'number') {
      this.#errors.push(`'port' field missing from a portal in TPG ${tpg.tag}`);
      return this.#keep(tpg, 'portals', raw);
    }
    const created = await this.#try(
      (reason) => `Creating NetworkPortal object ${address}:${port} failed: ${reason}`,
      () => this.#do(`${tpg.path}/portals`, 'create', { ip_address: address, ip_port: port }),
    );
    if (!created) return this.#keep(tpg, 'portals', raw);
    const last = tpg.portals.length - 1;
    tpg.portals[last] = {
      ...tpg.portals[last]!,
      iser: raw['iser'] === true,
      offload: raw['offload'] === true,
      unknown: others(raw, ['ip_address', 'port', 'iser', 'offload']),
    };
  }

  async #acl(tpg: Tpg, raw: Raw): Promise<void> {
    const wwn = raw['node_wwn'];
    if (typeof wwn !== 'string') {
      this.#errors.push("'node_wwn' missing in node_acl");
      return this.#keep(tpg, 'node_acls', raw);
    }
    let acl: NodeAcl | undefined;
    const created = await this.#try(
      (reason) => `Error when creating NodeACL for ${wwn}: ${reason}`,
      async () => {
        acl = tpg.acls.get(String((await this.#do(`${tpg.path}/acls`, 'create', { wwn }))['wwn']));
      },
    );
    if (!created || !acl) return this.#keep(tpg, 'node_acls', raw);
    const strange = await this.#attributes(acl.attributes, allAttributes(acl, raw), 'attribute');
    for (const mapped of listOf(raw['mapped_luns'])) await this.#mappedLun(tpg, acl, rawOf(mapped));
    this.#auth(acl.auth, raw, 'chap_', `Could not set nodeacl ${wwn} attribute`);
    if (typeof raw['tag'] === 'string') acl.tag = raw['tag'];
    const known = ['node_wwn', 'attributes', 'mapped_luns', 'tag', ...acl.attributes.besideNames, ...chapKeys];
    acl.unknown = { ...others(raw, known), ...strange };
  }

  async #mappedLun(tpg: Tpg, acl: NodeAcl, raw: Raw): Promise<void> {
    const { index, tpg_lun: tpgLun } = raw;
    const fail = (line: string) => {
      this.#errors.push(line);
      this.#keep(acl, 'mapped_luns', raw);
    };
    if (typeof tpgLun !== 'number') return fail("'tpg_lun' not in a mapped_lun");
    if (typeof index !== 'number') return fail("'index' not in a mapped_lun");
    if (!tpg.luns.has(tpgLun)) return fail(`Could not find matching TPG LUN ${tpgLun} for MappedLUN ${index}`);
    const settled = typeof raw['alias'] === 'string' ? { settled: { alias: raw['alias'] } } : {};
    const params = { mapped_lun: index, tpg_lun: tpgLun, write_protect: Boolean(raw['write_protect']), ...settled };
    const created = await this.#try(
      () => `Creating MappedLUN object ${index} failed`,
      () => this.#do(`${tpg.path}/acls/${acl.wwn}`, 'create', params),
    );
    if (!created) return this.#keep(acl, 'mapped_luns', raw);
    const mapped = acl.mappedLuns.get(index)!;
    acl.mappedLuns.set(index, { ...mapped, unknown: others(raw, ['index', 'tpg_lun', 'write_protect', 'alias']) });
  }

  #keep(owner: object, list: KeptList, raw: Raw): void {
    const inside: NonNullable<ReturnType<Kept['inside']['get']>> = this.#tree.kept.inside.get(owner) ?? {};
    inside[list] = [...(inside[list] ?? []), raw];
    this.#tree.kept.inside.set(owner, inside);
  }
}

/** The attributes in their group, and those that stand beside it. */
function allAttributes({ attributes }: Tpg | NodeAcl, raw: Raw): Raw {
  const beside = attributes.besideNames.filter((name) => name in raw).map((name) => [name, raw[name]]);
  return { ...rawOf(raw['attributes']), ...Object.fromEntries(beside) };
}

function settledTpg(raw: Raw): Values {
  const { relative_port_id: portId, nexus_wwn: nexus } = raw;
  return { ...(typeof portId === 'number' && { portId }), ...(typeof nexus === 'string' && { nexus }) };
}
