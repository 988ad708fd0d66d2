/** What is not compared: names and numbers that chance made, and secrets, which one side shows and the other hides. */

/** It is called alike on both sides. */
export const masked = (line: string): string =>
  line
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/naa\.5001405[0-9a-f]{9}\b/g, 'naa.5001405RANDOM')
    .replace(/(?<=\.org\.linux-iscsi\.)[\w-]+(\.x8664:sn\.)[0-9a-f]{12}/g, 'HOST$1RANDOM')
    .replace(/(?<=\tsid: )\d+/, 'SID')
    .replace(/^((?:Info: )?Parameter (?:mutual_)?password is now ')[^']+(?='\.$)/, '$1SECRET')
    .replace(/^((?:Info: )?(?:chap_)?(?:mutual_)?password(?:=|: ))(?!string$)\S+/, '$1SECRET')
    .replace(/^((?:Info: )?alias: )[0-9a-f]{10}$/, '$1ALIAS');
