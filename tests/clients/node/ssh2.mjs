// npm's ssh2; jump mode by forwardOut, the second connection's socket. It knows no certificates. The protocol is protocol.py's.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pipeline } from "node:stream/promises";

const require = createRequire(process.env.CLIENTS + "/node/");

function say(answer) {
	process.stdout.write("\n" + JSON.stringify(answer) + "\n", () => process.exit(0));
}

function connect(job, where, sock) {
	const { Client } = require("ssh2");
	const client = new Client();
	const wanted = job.host_key.split(" ")[1];
	return new Promise((resolve, reject) => {
		client.on("ready", () => resolve(client)).on("error", reject);
		client.connect({
			host: where.host, port: where.port, username: where.user, sock, readyTimeout: 25000,
			...(job.agent ? { agent: job.agent } : { privateKey: readFileSync(job.key) }),
			hostVerifier: (key) => key.toString("base64") === wanted,
		});
	});
}

async function logIn(job) {
	if (!job.jump)
		return connect(job, job);
	const outer = await connect(job, job.jump);
	const sock = await new Promise((resolve, reject) => outer.forwardOut("127.0.0.1", 0, job.host, job.port, (wrong, stream) => (wrong ? reject(wrong) : resolve(stream))));
	return connect(job, job, sock);
}

async function run(job) {
	if (job.rekey)
		return { skip: "ssh2's client documents a rekey() and has none" };
	const client = await logIn(job);
	const stream = await new Promise((resolve, reject) => client.exec(job.command, { env: job.env || {} }, (wrong, got) => (wrong ? reject(wrong) : resolve(got))));
	const out = [], err = [], digest = createHash("sha256");
	const sink = job.sink ? createWriteStream(job.sink) : null;
	let status = null;
	stream.on("exit", (code) => { status = code; });
	stream.on("data", (data) => { digest.update(data); if (!sink) out.push(data); });
	stream.stderr.on("data", (data) => err.push(data));
	const closed = new Promise((resolve) => stream.on("close", resolve));
	if (job.stdin)
		await pipeline(createReadStream(job.stdin), stream);
	else
		stream.end();
	await closed;
	const answer = { status, stderr: Buffer.concat(err).toString() };
	return sink ? { ...answer, digest: digest.digest("hex") } : { ...answer, stdout: Buffer.concat(out).toString() };
}

async function files(job) {
	const client = await logIn(job);
	const sftp = await new Promise((resolve, reject) => client.sftp((wrong, got) => (wrong ? reject(wrong) : resolve(got))));
	await new Promise((resolve, reject) => sftp.fastPut(job.local, job.remote, (wrong) => (wrong ? reject(wrong) : resolve())));
	await new Promise((resolve, reject) => sftp.fastGet(job.remote, job.back, (wrong) => (wrong ? reject(wrong) : resolve())));
	return { status: 0 };
}

const actions = { version: () => ({ version: require("ssh2/package.json").version }), run, files };
const job = JSON.parse(readFileSync(0, "utf8"));
try {
	say(await actions[job.action](job));
} catch (wrong) {
	say({ [wrong.code === "MODULE_NOT_FOUND" ? "missing" : "error"]: String(wrong.message) });
}
