/** The page: it follows a running tcli by one watch, and changes it by lines of its shell. */

import {
  Alert,
  AlertActionCloseButton,
  AlertGroup,
  Button,
  Card,
  CardBody,
  CardTitle,
  Content,
  EmptyState,
  EmptyStateBody,
  Label,
  Page,
  PageSection,
  Tab,
  Tabs,
  TabTitleText,
  TextInput,
  Toolbar,
  ToolbarContent,
  ToolbarItem,
} from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { Status } from '../../../src/daemon/control-protocol.ts';
import type { DiskRow, InitiatorRow } from '../../../src/root/inventory.ts';
import type { LoginRefusal } from '../../../src/root/refusals.ts';
import { bridge } from './cockpit.ts';
import { Control, Refused } from './control.ts';
import { Chap, CreateDisk, DeleteDisk, ResizeDisk, Undo } from './dialogs.tsx';
import { Plot } from './plot.tsx';
import { Known, nothingShown, printBytes, type Shown } from './rows.ts';

const everyMs = 1000;
const moments = 120;
/** After this a tcli that has gone is looked for again. */
const againMs = 2000;
const systemSocket = '/run/tcli/control.sock';

const blue = 'var(--pf-t--chart--color--blue--300, #06c)';
const green = 'var(--pf-t--chart--color--green--300, #3e8635)';

type Open =
  | { readonly is: 'create' }
  | { readonly is: 'resize' | 'delete'; readonly disk: DiskRow }
  | { readonly is: 'chap'; readonly initiator: InitiatorRow }
  | { readonly is: 'undo'; readonly change: string; readonly plan: string };

/** The socket that the address of the page names, or the system's. */
const namedSocket = () => bridge.location.options['socket'] ?? systemSocket;

function useSocket(): [string, (socket: string) => void] {
  const [socket, setSocket] = useState(namedSocket);
  useEffect(() => bridge.addEventListener('locationchanged', () => setSocket(namedSocket())), []);
  return [socket, (other) => bridge.location.go([], other === systemSocket ? {} : { socket: other })];
}

export function Application() {
  const [socket, goTo] = useSocket();
  const [attempt, setAttempt] = useState(0);
  const [shown, setShown] = useState<Shown>(nothingShown);
  const [status, setStatus] = useState<Status>();
  const [refusals, setRefusals] = useState<readonly LoginRefusal[]>([]);
  const [trouble, setTrouble] = useState<Refused>();
  const [notes, setNotes] = useState<
    readonly { readonly key: number; readonly title: string; readonly text: string }[]
  >([]);
  const [open, setOpen] = useState<Open>();
  const [tab, setTab] = useState<string | number>('overview');
  const session = useRef<Control>(undefined);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another connection
  useEffect(() => {
    const control = new Control(socket, true);
    const known = new Known();
    let again: ReturnType<typeof setTimeout> | undefined;
    session.current = control;
    const look = async () => {
      setStatus((await control.ask({ do: 'status' }, 'status')).status);
      setRefusals((await control.ask({ do: 'refusals' }, 'refusals')).refusals);
      setTrouble(undefined);
    };
    control.watch(['stats', 'objects', 'changes', 'refusals', 'log'], everyMs, (event) => {
      if (event.is === 'stats' || event.is === 'objects') setShown(known.learn(event as Parameters<Known['learn']>[0]));
      else if (event.is !== 'lost') void look().catch(() => {});
    });
    void look().catch(() => {});
    control.gone.catch((error) => {
      setTrouble(error instanceof Refused ? error : new Refused(String(error)));
      setStatus(undefined);
      setShown(nothingShown);
      again = setTimeout(() => setAttempt((count) => count + 1), againMs);
    });
    return () => {
      clearTimeout(again);
      control.gone.catch(() => {});
      control.close();
    };
  }, [socket, attempt]);

  const say = (title: string, text: string) => setNotes((all) => [...all, { key: Date.now(), title, text }].slice(-3));
  const run = async (lines: readonly string[]) => {
    const control = session.current;
    if (!control) throw new Refused('There is no connection.');
    let said = '';
    for (const line of lines) said += await control.run(line);
    say('Done', said.trim());
  };
  const undo = async () => {
    try {
      const plan = (await session.current?.run('undo dry_run=true')) ?? '';
      // Another change may be the last one by the time that the window's button is pressed.
      const [, change] = /^Last change \((\w+)\):/.exec(plan) ?? [];
      if (change === undefined) throw new Refused('This tcli does not say which change it would take back.');
      setOpen({ is: 'undo', change, plan });
    } catch (error) {
      say(error instanceof Refused ? error.message : String(error), (error as Refused).hint ?? '');
    }
  };
  const close = () => setOpen(undefined);

  return (
    <Page className="pf-m-no-sidebar" isContentFilled>
      <PageSection>
        <Toolbar>
          <ToolbarContent>
            <ToolbarItem>
              <Content component="h1">iSCSI targets</Content>
            </ToolbarItem>
            {socket !== systemSocket && (
              <ToolbarItem alignSelf="center">
                <Label color="orange">Socket: {wordOf(socket)}</Label>
              </ToolbarItem>
            )}
            {status && (
              <ToolbarItem alignSelf="center">
                <Label color={status.problems.length > 0 ? 'red' : 'green'}>
                  {status.serving ? 'Serving' : 'Starting'} {status.targets}{' '}
                  {status.targets === 1 ? 'target' : 'targets'}, {status.sessions}{' '}
                  {status.sessions === 1 ? 'session' : 'sessions'}
                </Label>
              </ToolbarItem>
            )}
            <ToolbarItem align={{ default: 'alignEnd' }}>
              <Button variant="secondary" isDisabled={!status} onClick={() => void undo()}>
                Undo
              </Button>
            </ToolbarItem>
            <ToolbarItem>
              <Button isDisabled={!status} onClick={() => setOpen({ is: 'create' })}>
                Create and share a disk
              </Button>
            </ToolbarItem>
          </ToolbarContent>
        </Toolbar>
        {status?.problems.map((problem) => (
          <Alert key={problem} isInline variant="danger" title={problem} />
        ))}
        {status?.notRestored.map((line) => (
          <Alert key={line} isInline variant="warning" title={`Not restored: ${line}`} />
        ))}
      </PageSection>
      <PageSection isFilled>
        {status ? (
          <Tabs activeKey={tab} onSelect={(_, key) => setTab(key)} aria-label="What is served">
            <Tab eventKey="overview" title={<TabTitleText>Overview</TabTitleText>}>
              <Overview shown={shown} />
            </Tab>
            <Tab eventKey="disks" title={<TabTitleText>Disks</TabTitleText>}>
              <Disks shown={shown} open={setOpen} />
            </Tab>
            <Tab eventKey="targets" title={<TabTitleText>Targets</TabTitleText>}>
              <Targets shown={shown} />
            </Tab>
            <Tab eventKey="initiators" title={<TabTitleText>Initiators</TabTitleText>}>
              <Initiators shown={shown} open={setOpen} />
            </Tab>
            <Tab eventKey="refused" title={<TabTitleText>Refused</TabTitleText>}>
              <Refusals refusals={refusals} />
            </Tab>
          </Tabs>
        ) : (
          <NotThere socket={socket} goTo={goTo} trouble={trouble} />
        )}
      </PageSection>
      <AlertGroup isToast isLiveRegion>
        {notes.map(({ key, title, text }) => (
          <Alert
            key={key}
            variant={title === 'Done' ? 'success' : 'warning'}
            title={title}
            timeout={8000}
            onTimeout={() => setNotes((all) => all.filter((note) => note.key !== key))}
            actionClose={
              <AlertActionCloseButton onClose={() => setNotes((all) => all.filter((note) => note.key !== key))} />
            }
          >
            {text}
          </Alert>
        ))}
      </AlertGroup>
      {open?.is === 'create' && <CreateDisk run={run} close={close} />}
      {open?.is === 'resize' && <ResizeDisk disk={open.disk} run={run} close={close} />}
      {open?.is === 'delete' && (
        <DeleteDisk
          disk={open.disk}
          luns={shown.luns.filter(({ disk }) => disk === open.disk.path)}
          run={run}
          close={close}
        />
      )}
      {open?.is === 'chap' && <Chap initiator={open.initiator} run={run} close={close} />}
      {open?.is === 'undo' && <Undo change={open.change} plan={open.plan} run={run} close={close} />}
    </Page>
  );
}

function NotThere(props: {
  readonly socket: string;
  readonly goTo: (socket: string) => void;
  readonly trouble: Refused | undefined;
}) {
  const [other, setOther] = useState(props.socket);
  if (!props.trouble) return <EmptyState titleText="Looking for tcli" headingLevel="h2" />;
  return (
    <EmptyState titleText="tcli does not answer" headingLevel="h2">
      <EmptyStateBody>
        <p>{props.trouble.message}</p>
        <p>{props.trouble.hint}</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            props.goTo(other);
          }}
        >
          <TextInput aria-label="Control socket" value={other} onChange={(_, text) => setOther(text)} />
          <Button type="submit" variant="link">
            Connect to this socket
          </Button>
        </form>
      </EmptyStateBody>
    </EmptyState>
  );
}

function Overview({ shown: { rates } }: { readonly shown: Shown }) {
  const perSecond = (bytes: number) => `${printBytes(bytes)}/s`;
  const plots = [
    {
      title: 'Throughput',
      print: perSecond,
      series: [
        { name: 'read', of: ({ read }: Shown['rates'][number]) => read, colour: blue },
        { name: 'written', of: ({ written }: Shown['rates'][number]) => written, colour: green },
      ],
    },
    {
      title: 'Commands a second',
      print: (count: number) => count.toFixed(0),
      series: [{ name: 'SCSI commands', of: ({ commands }: Shown['rates'][number]) => commands, colour: blue }],
    },
    {
      title: 'Latency',
      print: (ms: number) => `${ms.toPrecision(2)} ms`,
      series: [{ name: 'mean', of: ({ latencyMs }: Shown['rates'][number]) => latencyMs, colour: blue }],
    },
  ];
  return (
    <div className="tcli-plots">
      {plots.map((plot) => (
        <Card key={plot.title} isCompact>
          <CardBody>
            <Plot {...plot} rates={rates} moments={moments} />
          </CardBody>
        </Card>
      ))}
    </div>
  );
}

/** A table of rows, or what to say where there are none. */
function Rows<T>(props: {
  readonly name: string;
  readonly none: string;
  readonly columns: readonly (readonly [name: string, cell: (row: T) => ReactNode])[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
}) {
  const { name, none, columns, rows, keyOf } = props;
  if (rows.length === 0) return <EmptyState titleText={none} headingLevel="h2" />;
  return (
    <Table aria-label={name} variant="compact">
      <Thead>
        <Tr>
          {columns.map(([column]) => (
            <Th key={column}>{column}</Th>
          ))}
        </Tr>
      </Thead>
      <Tbody>
        {rows.map((row) => (
          <Tr key={keyOf(row)}>
            {columns.map(([column, cell]) => (
              <Td key={column} dataLabel={column}>
                {cell(row)}
              </Td>
            ))}
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}

const wordOf = (text: string) => <span className="tcli-name">{text}</span>;
const sizeOf = (size: number | null) => (size === null ? 'unknown' : printBytes(size));
const problemOf = (problem: string) =>
  problem === '' ? <Label color="green">ok</Label> : <Label color="red">{problem}</Label>;

function Disks({ shown, open }: { readonly shown: Shown; readonly open: (what: Open) => void }) {
  return (
    <Rows
      name="Disks"
      none="No disks yet"
      rows={shown.disks}
      keyOf={({ path }) => path}
      columns={[
        ['Name', ({ name }) => wordOf(name)],
        ['Kind', ({ kind }) => kind],
        ['Size', ({ size }) => sizeOf(size)],
        ['Medium', ({ medium }) => wordOf(medium)],
        ['LUNs', ({ luns }) => luns.length],
        ['In use by', ({ sessions }) => sessions],
        ['State', ({ problem }) => problemOf(problem)],
        [
          'Actions',
          (disk) => (
            <>
              <Button variant="secondary" size="sm" onClick={() => open({ is: 'resize', disk })}>
                Resize
              </Button>{' '}
              <Button variant="danger" size="sm" onClick={() => open({ is: 'delete', disk })}>
                Delete
              </Button>
            </>
          ),
        ],
      ]}
    />
  );
}

function Targets({ shown }: { readonly shown: Shown }) {
  return (
    <>
      {shown.targets.length === 0 && <EmptyState titleText="No targets yet" headingLevel="h2" />}
      {shown.targets.map((target) => (
        <Card key={target.path} isCompact>
          <CardTitle>
            {wordOf(target.wwn)}{' '}
            <Label color={target.enabled ? 'green' : 'grey'}>{target.enabled ? target.fabric : 'disabled'}</Label>{' '}
            {!shown.portals.some((portal) => portal.target === target.wwn) && target.fabric === 'iscsi' && (
              <Label color="orange">no portal: nobody can reach it</Label>
            )}
            {shown.portals
              .filter((portal) => portal.target === target.wwn)
              .map((portal) => (
                <Label key={portal.path} color={portal.up ? 'blue' : 'red'} title={portal.problem}>
                  {portal.address.includes(':') ? `[${portal.address}]` : portal.address}:{portal.port}
                </Label>
              ))}
          </CardTitle>
          <CardBody>
            <Rows
              name={`LUNs of ${target.wwn}`}
              none="No LUNs yet"
              rows={shown.luns.filter((lun) => lun.target === target.wwn)}
              keyOf={({ path }) => path}
              columns={[
                ['TPG', ({ tpg }) => tpg],
                ['LUN', ({ lun }) => lun],
                ['Disk', ({ disk }) => wordOf(disk)],
                ['Size', ({ size }) => sizeOf(size)],
                ['In use by', ({ sessions }) => sessions],
                ['State', ({ problem }) => problemOf(problem)],
              ]}
            />
          </CardBody>
        </Card>
      ))}
    </>
  );
}

function Initiators({ shown, open }: { readonly shown: Shown; readonly open: (what: Open) => void }) {
  return (
    <Rows
      name="Initiators"
      none="Nobody has an ACL, and nobody is logged in"
      rows={shown.initiators}
      keyOf={({ path, name }) => `${path} ${name}`}
      columns={[
        ['Name', ({ name }) => wordOf(name)],
        ['Target', ({ target }) => wordOf(target)],
        ['Logged in from', ({ addresses, sessions }) => (sessions > 0 ? addresses.join(', ') || 'yes' : 'no')],
        [
          'LUNs',
          ({ luns }) =>
            luns.map(({ lun, writeProtected }) => `${lun}${writeProtected ? ' (read-only)' : ''}`).join(', '),
        ],
        ['CHAP', ({ chap }) => chap],
        [
          'Actions',
          (initiator) =>
            initiator.hasAcl && (
              <Button variant="secondary" size="sm" onClick={() => open({ is: 'chap', initiator })}>
                CHAP
              </Button>
            ),
        ],
      ]}
    />
  );
}

function Refusals({ refusals }: { readonly refusals: readonly LoginRefusal[] }) {
  return (
    <Rows
      name="Refused"
      none="Nobody was refused"
      rows={refusals}
      keyOf={({ event, initiator, target, address, reason }) => [event, initiator, target, address, reason].join('\n')}
      columns={[
        ['Last time', ({ at }) => new Date(at).toLocaleString()],
        ['Initiator', ({ initiator }) => wordOf(initiator)],
        ['From', ({ address }) => address],
        ['Wanted', ({ target }) => wordOf(target)],
        ['Why', ({ reason }) => wordOf(reason)],
        ['Times', ({ count }) => count],
      ]}
    />
  );
}
