/** What is asked before something is changed. Each dialog makes the lines of the shell that do it. */

import {
  Alert,
  Button,
  Checkbox,
  Form,
  FormGroup,
  FormHelperText,
  HelperText,
  HelperTextItem,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core';
import { type ReactNode, useState } from 'react';
import type { DiskRow, InitiatorRow, LunRow } from '../../../src/root/inventory.ts';
import { quoted, Refused } from './control.ts';
import { printBytes } from './rows.ts';

/** Runs lines, one after the other; the first that is refused ends it. */
export type RunLines = (lines: readonly string[]) => Promise<void>;

interface DialogProps {
  readonly run: RunLines;
  readonly close: () => void;
}

/** A form in a window, with what was refused shown in it. */
function Dialog(
  props: DialogProps & {
    readonly title: string;
    readonly action: string;
    readonly isDanger?: boolean;
    /** Undefined: something is still missing. */
    readonly lines: readonly string[] | undefined;
    readonly children: ReactNode;
  },
) {
  const { title, action, isDanger = false, lines, run, close, children } = props;
  const [refused, setRefused] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    if (!lines || isBusy) return;
    setBusy(true);
    try {
      await run(lines);
      close();
    } catch (error) {
      setRefused(error instanceof Refused ? error : new Refused(String(error)));
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="small" onClose={close} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody>
        {refused && (
          <Alert isInline variant="danger" title={refused.message}>
            {refused.hint}
          </Alert>
        )}
        <Form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          {children}
          <button type="submit" hidden />
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button
          variant={isDanger ? 'danger' : 'primary'}
          isDisabled={!lines || isBusy}
          isLoading={isBusy}
          onClick={() => void submit()}
        >
          {action}
        </Button>
        <Button variant="link" onClick={close}>
          Cancel
        </Button>
      </ModalFooter>
    </Modal>
  );
}

function Field(props: {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly help?: string;
  readonly type?: 'text' | 'password';
  readonly required?: boolean;
}) {
  const { id, label, value, set, help, type = 'text', required = false } = props;
  return (
    <FormGroup label={label} fieldId={id} isRequired={required}>
      <TextInput id={id} type={type} value={value} onChange={(_, text) => set(text)} autoComplete="off" />
      {help && (
        <FormHelperText>
          <HelperText>
            <HelperTextItem>{help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}

/** A name for a target that nobody has: the date is that of today, as RFC 3720 wants it. */
const iqnOf = (name: string) =>
  `iqn.${new Date().toISOString().slice(0, 7)}.org.tcli.${location.hostname.replaceAll(/[^a-z0-9.-]/g, '') || 'host'}:${name}`;

/** A disk out of a file or device, a target of its own, and who may come. */
export function CreateDisk({ run, close }: DialogProps) {
  const [file, setFile] = useState('');
  const [size, setSize] = useState('');
  const [name, setName] = useState('');
  const [target, setTarget] = useState('');
  const [initiator, setInitiator] = useState('');
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const called = name || (file.split('/').at(-1) ?? '').replace(/\.\w+$/, '').replaceAll(/[^\w.-]/g, '-');
  const wwn = target || iqnOf(called.toLowerCase().replaceAll('_', '-'));
  const isDevice = file.startsWith('/dev/');
  const tpg = `/iscsi/${wwn}/tpg1`;
  const isWhole = file.startsWith('/') && called !== '' && (user === '') === (password === '');
  const chap = (path: string) =>
    user === '' ? [] : [`${path} set auth userid=${quoted(user)} password=${quoted(password)}`];
  const access =
    initiator === ''
      ? [
          `${tpg} set attribute generate_node_acls=1 demo_mode_write_protect=0 authentication=${user === '' ? 0 : 1}`,
          ...chap(tpg),
        ]
      : [
          `${tpg}/acls create ${quoted(initiator)}`,
          ...chap(quoted(`${tpg}/acls/${initiator}`)),
          ...(user === '' ? [] : [`${tpg} set attribute authentication=1`]),
        ];
  const kind = isDevice ? 'block' : 'fileio';
  const lines = [
    `/backstores/${kind} create name=${quoted(called)} ${isDevice ? 'dev' : 'file_or_dev'}=${quoted(file)}${isDevice || size === '' ? '' : ` size=${quoted(size)}`}`,
    `/iscsi create ${quoted(wwn)}`,
    `${tpg}/luns create ${quoted(`/backstores/${kind}/${called}`)}`,
    ...access,
  ];
  return (
    <Dialog title="Create and share a disk" action="Create" lines={isWhole ? lines : undefined} run={run} close={close}>
      <Field
        id="file"
        label="File or device"
        value={file}
        set={setFile}
        required
        help="/srv/disk0.img or /dev/vg0/disk0. A file that is not there is made."
      />
      {!isDevice && <Field id="size" label="Size" value={size} set={setSize} help="Of a file that is made: 20G" />}
      <Field id="name" label="Name" value={name} set={setName} help={`When empty: ${called || 'that of the file'}`} />
      <Field id="target" label="Target" value={target} set={setTarget} help={`When empty: ${wwn}`} />
      <Field
        id="initiator"
        label="Initiator"
        value={initiator}
        set={setInitiator}
        help="Who may come: iqn.1993-08.org.debian:01:4f2c. When empty, everybody who reaches this machine may."
      />
      <Field id="user" label="CHAP name" value={user} set={setUser} help="When empty, nobody is asked for a secret." />
      <Field
        id="password"
        label="CHAP secret"
        value={password}
        set={setPassword}
        type="password"
        help="12 to 16 characters, for Windows."
      />
    </Dialog>
  );
}

export function ResizeDisk({ disk, run, close }: DialogProps & { readonly disk: DiskRow }) {
  const [size, setSize] = useState('');
  const isFile = disk.kind !== 'block';
  const line = `${quoted(disk.path)} resize${isFile ? ` ${quoted(size)}` : ''}`;
  return (
    <Dialog
      title={`Resize ${disk.name}`}
      action="Resize"
      lines={isFile && size === '' ? undefined : [line]}
      run={run}
      close={close}
    >
      <p>Now {disk.size === null ? 'unknown' : printBytes(disk.size)}. Initiators are told.</p>
      {isFile ? (
        <Field id="size" label="Size" value={size} set={setSize} required help="20G, or +5G for so much more" />
      ) : (
        <p>A device has the size that it has: it is looked at now.</p>
      )}
    </Dialog>
  );
}

/** Names and secrets of an initiator that has an ACL. */
export function Chap({ initiator, run, close }: DialogProps & { readonly initiator: InitiatorRow }) {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [isMutual, setMutual] = useState(false);
  const [ourUser, setOurUser] = useState('');
  const [ourPassword, setOurPassword] = useState('');
  const mutual = isMutual ? ` mutual_userid=${quoted(ourUser)} mutual_password=${quoted(ourPassword)}` : '';
  const lines = [
    `${quoted(initiator.path)} set auth userid=${quoted(user)} password=${quoted(password)}${mutual}`,
    `/iscsi/${initiator.target}/tpg${initiator.tpg} set attribute authentication=1`,
  ];
  const isWhole = user !== '' && password !== '' && (!isMutual || (ourUser !== '' && ourPassword !== ''));
  return (
    <Dialog
      title={`CHAP of ${initiator.name}`}
      action="Set"
      lines={isWhole ? lines : undefined}
      run={run}
      close={close}
    >
      <p>Every initiator of this TPG is asked for a secret from then on.</p>
      <Field id="user" label="Name" value={user} set={setUser} required />
      <Field
        id="password"
        label="Secret"
        value={password}
        set={setPassword}
        type="password"
        required
        help="12 to 16 characters, for Windows."
      />
      <Checkbox
        id="mutual"
        label="The target proves itself, too"
        isChecked={isMutual}
        onChange={(_, checked) => setMutual(checked)}
      />
      {isMutual && (
        <>
          <Field id="our-user" label="Name of the target" value={ourUser} set={setOurUser} required />
          <Field
            id="our-password"
            label="Secret of the target"
            value={ourPassword}
            set={setOurPassword}
            type="password"
            required
          />
        </>
      )}
    </Dialog>
  );
}

export function DeleteDisk({
  disk,
  luns,
  run,
  close,
}: DialogProps & { readonly disk: DiskRow; readonly luns: readonly LunRow[] }) {
  const sessions = luns.reduce((all, lun) => all + lun.sessions, 0);
  return (
    <Dialog
      title={`Delete ${disk.name}?`}
      action="Delete"
      isDanger
      lines={[`/backstores/${disk.kind} delete ${quoted(disk.name)}`]}
      run={run}
      close={close}
    >
      <p>
        It is served as {luns.length} {luns.length === 1 ? 'LUN' : 'LUNs'}, which {luns.length === 1 ? 'goes' : 'go'}{' '}
        with it
        {sessions > 0 ? `; initiators that use it now: ${sessions}` : ''}. {disk.medium} stays. Undo brings it back.
      </p>
    </Dialog>
  );
}

/** Takes a change back. @param change its name @param plan what would be done, as the shell says it */
export function Undo({ change, plan, run, close }: DialogProps & { readonly change: string; readonly plan: string }) {
  return (
    <Dialog title="Undo the last change?" action="Undo" lines={[`undo ${change}`]} run={run} close={close}>
      <pre>{plan}</pre>
    </Dialog>
  );
}
