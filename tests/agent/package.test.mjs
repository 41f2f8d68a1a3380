// SPDX-License-Identifier: Apache-2.0
// What is handed to administrators: the programs, the packages and the policy templates, looked at
// from outside. Installing them is tests/wine/msi.test.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const version = /^VERSION := (.+)$/m.exec(fs.readFileSync('config.mk', 'utf8'))[1];
const archs = ['x64', 'x86'];
const exe = (arch) => `build/agent/${arch}/poolfleet-agent.exe`;
const msi = (arch) => `build/agent/poolfleet-agent-${version}-${arch}.msi`;
const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

// A table of an MSI as objects, by its exported form: names, types, table and keys, rows.
function table(file, name) {
    const lines = run('msiinfo', 'export', file, name).split(/\r?\n/);
    const columns = lines[0].split('\t');
    return lines.slice(3).filter((line) => line !== '')
        .map((line) => Object.fromEntries(line.split('\t').map((value, i) => [columns[i], value])));
}

// Rows of the agent's settings table, from the program's own header.
function settings() {
    const header = fs.readFileSync('agent/core/settings.h', 'utf8');
    return [...header.matchAll(/^ {4}SETTING_\w+,\s+\/\* (\w+):/gm)].map((match) => match[1]);
}

for (const arch of archs) {
    test(`${arch}: the program is at most 400 KB and has version, manifest and message table`, () => {
        const size = fs.statSync(exe(arch)).size;
        assert.ok(size <= 400 * 1024, `${size} bytes`);
        const resources = run('objdump', '-s', '-j', '.rsrc', exe(arch));
        assert.match(resources, /\.rsrc/);
        const wide = Buffer.from(`${version}`, 'utf16le');
        assert.ok(fs.readFileSync(exe(arch)).includes(wide), 'version resource names the version');
    });

    test(`${arch}: the program says nothing about the machine it was built on`, () => {
        const bytes = fs.readFileSync(exe(arch));
        for (const text of [process.cwd(), os.homedir() + '/', os.hostname() + '.']) {
            if (text.length > 5)
                assert.ok(!bytes.includes(text), text);
        }
    });

    test(`${arch}: the same source gives the same bytes: no time of the build is in the program`, () => {
        const bytes = fs.readFileSync(exe(arch));
        const header = bytes.readUInt32LE(0x3c);
        assert.equal(bytes.readUInt32LE(header + 8), 0, 'TimeDateStamp of the PE header');
    });

    test(`${arch}: the package holds program, service and properties as documented`, () => {
        const property = Object.fromEntries(table(msi(arch), 'Property').map((row) => [row.Property, row.Value]));
        assert.equal(property.ProductVersion, version);
        assert.equal(property.UpgradeCode, '{9F2C7A3E-5A0C-4E0B-9C55-2D5B0C6B7A11}');
        assert.equal(property.ALLUSERS, '1');
        const secure = property.SecureCustomProperties.split(';');
        const documented = fs.readFileSync('deploy/agent/README.md', 'utf8');
        for (const name of ['SERVERURL', 'ENROLLSECRET', 'ENROLLFILE', 'PROXY', 'CAFILE', 'TAGS', 'REMOVEDATA', 'INSTALLDIR']) {
            assert.ok(secure.includes(name), `${name} reaches the elevated part`);
            assert.ok(documented.includes(`\`${name}`), `${name} is documented`);
        }
        assert.ok(property.MsiHiddenProperties.split(';').includes('ENROLLSECRET'), 'the secret is not logged');
        assert.ok(property.MsiHiddenProperties.split(';').includes('Configure'), 'nor is the data of the action that gets it');
        const service = table(msi(arch), 'ServiceInstall');
        assert.equal(service.length, 1);
        assert.equal(service[0].Name, 'PoolfleetAgent');
        assert.equal(service[0].StartName, 'NT AUTHORITY\\LocalService');
        const summary = run('msiinfo', 'suminfo', msi(arch));
        assert.match(summary, arch === 'x64' ? /Template: x64;1033/ : /Template: Intel;1033/);
    });

    test(`${arch}: the package's actions are in an order in which they can work`, () => {
        const at = Object.fromEntries(table(msi(arch), 'InstallExecuteSequence').map((row) => [row.Action, Number(row.Sequence)]));
        const order = ['InstallInitialize', 'RemoveExistingProducts', 'StopServices', 'SetUnconfigure', 'Unconfigure', 'DeleteServices',
            'RemoveFiles', 'InstallFiles', 'InstallServices', 'SetUndo', 'UndoConfigure', 'SetConfigure', 'Configure', 'StartServices',
            'InstallFinalize'];
        for (let i = 1; i < order.length; i++)
            assert.ok(at[order[i - 1]] < at[order[i]], `${order[i - 1]} before ${order[i]}`);
        const actions = Object.fromEntries(table(msi(arch), 'CustomAction').map((row) => [row.Action, row]));
        const hidden = 8192, deferred = 1024, system = 2048, rollback = 256;
        for (const name of ['Configure', 'UndoConfigure', 'Unconfigure'])
            assert.equal(Number(actions[name].Type) & (hidden | deferred | system), hidden | deferred | system, name);
        assert.equal(Number(actions.UndoConfigure.Type) & rollback, rollback);
        for (const row of Object.values(actions))
            assert.ok(row.Target.length <= 255, `${row.Action} fits its column`);
    });
}

test('another build of the same version, and an older one, are replaced; a newer one stands', () => {
    for (const arch of archs) {
        const rows = table(msi(arch), 'Upgrade');
        const older = rows.find((row) => row.ActionProperty === 'WIX_UPGRADE_DETECTED');
        assert.equal(older.VersionMax, version);
        assert.equal(Number(older.Attributes) & 512, 512);
        assert.ok(rows.some((row) => row.ActionProperty === 'WIX_DOWNGRADE_DETECTED' && row.VersionMin === version));
    }
});

test('the policy template, its texts and the sample file name every setting an administrator may set', () => {
    const admx = fs.readFileSync('deploy/agent/policy/poolfleet-agent.admx', 'utf8');
    const adml = fs.readFileSync('deploy/agent/policy/en-US/poolfleet-agent.adml', 'utf8');
    const sample = fs.readFileSync('agent/msi/agent.ini.sample', 'utf8');
    // Where the data lies and where it comes from is not for a policy to change.
    const inner = ['DataFolder', 'Replay'];
    const names = settings();
    assert.ok(names.length >= 13, names.join(' '));
    for (const name of names.filter((each) => !inner.includes(each))) {
        assert.ok(admx.includes(`valueName="${name}"`), `${name} in the template`);
        assert.match(sample, new RegExp(`^;?${name} =`, 'm'), `${name} in the sample`);
    }
    for (const name of [...admx.matchAll(/valueName="(\w+)"/g)].map((match) => match[1]))
        assert.ok(names.includes(name), `${name} of the template is a setting`);
    for (const id of [...admx.matchAll(/\$\(string\.(\w+)\)/g)].map((match) => match[1]))
        assert.ok(adml.includes(`<string id="${id}">`), `text of ${id}`);
    for (const id of [...admx.matchAll(/\$\(presentation\.(\w+)\)/g)].map((match) => match[1]))
        assert.ok(adml.includes(`<presentation id="${id}">`), `presentation of ${id}`);
    for (const id of [...adml.matchAll(/refId="(\w+)"/g)].map((match) => match[1]))
        assert.ok(admx.includes(`id="${id}"`), `element ${id}`);
});

test('the templates are well-formed XML', () => {
    for (const file of ['deploy/agent/policy/poolfleet-agent.admx', 'deploy/agent/policy/en-US/poolfleet-agent.adml', 'agent/msi/agent.wxs'])
        run('xmllint', '--noout', file);
});

test('a program and a package can be signed with the script that the documentation names', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sign-'));
    try {
        const key = path.join(folder, 'key.pem');
        const cert = path.join(folder, 'cert.pem');
        run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
            '-subj', '/CN=Poolfleet test', '-addext', 'extendedKeyUsage=codeSigning');
        for (const file of [exe('x64'), msi('x64')]) {
            const copy = path.join(folder, path.basename(file));
            fs.copyFileSync(file, copy);
            execFileSync('deploy/agent/sign.sh', [copy], { env: { ...process.env, SIGN_CERT: cert, SIGN_KEY: key } });
            const verified = execFileSync('osslsigncode', ['verify', '-CAfile', cert, '-in', copy], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
            assert.match(verified, /Signature verification: ok/);
        }
    } finally {
        fs.rmSync(folder, { recursive: true });
    }
});
