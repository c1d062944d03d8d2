// What the switch does now: objects with their status, kept up to date by one event stream.
import { all, call, connection, get, heard, path, session } from "./api.js";
import { Store } from "./store.js";

const KINDS = ["registrations", "routing-gateways", "mapping-gateways"];
const RELOAD_ABOVE = 50;	// objects of one revision; above it a whole list is asked for again
const AGAIN_MS = 2000;
const HIDDEN_MS = 10000;
const PULSE_MS = 8000, PATIENCE_MS = 5000;

// {rows: Map(name → object with status), state: "unknown" | "wanted" | "loading" | "loaded", error}
export const tables = Object.fromEntries(KINDS.map(kind => [kind, new Store({ rows: new Map(), state: "unknown", error: null })]));
export const switchcore = new Store(null);	// /status.switchcore
export const newestRevision = new Store(null);	// the last revision event

const incoming = new Map();	// kind → rows of a list that is being asked for
const overtaken = new Set();	// kinds whose list is to be asked for once more after that

const callWatchers = new Set();
// watcher({…call, phase}); watcher(null): events may have been missed
export function watchCalls(watcher) {
	callWatchers.add(watcher);
	return () => callWatchers.delete(watcher);
}

export async function load(kind) {
	const table = tables[kind], rows = new Map();
	if (table.value.state === "loading") {
		overtaken.add(kind);
		return;
	}
	table.set({ ...table.value, state: "loading" });
	incoming.set(kind, rows);
	try {
		await all(path(kind), { status: true }, items => {
			for (const item of items)
				rows.set(item.name, item);
			if (!table.value.rows.size || table.value.rows === rows)
				table.set({ rows, state: "loading", error: null });
		});
		table.set({ rows, state: "loaded", error: null });
	} catch (error) {
		table.set({ ...table.value, state: "wanted", error });
	} finally {
		incoming.delete(kind);
	}
	if (overtaken.delete(kind))
		load(kind);
}

// The lists in which an object stands: that which is seen, and that which is to follow it.
const listsOf = kind => [tables[kind].value.rows, incoming.get(kind)].filter(Boolean);

// A list is asked for once events come, or what happens between the two would be missed.
export function need(kind) {
	const table = tables[kind];
	if (table.value.state !== "unknown" && table.value.state !== "wanted")
		return;
	if (streams())
		load(kind);
	else
		table.set({ ...table.value, state: "wanted" });
}

// One object anew, status included; gone when it is gone.
export async function reload(kind, name) {
	try {
		const [object, status] = await Promise.all([get(path(kind, name)), get(path(kind, name, "status"))]);
		listsOf(kind).forEach(rows => rows.set(name, { ...object, status }));
		tables[kind].changed();
	} catch (error) {
		if (error.status === 404)
			remove(kind, name);
	}
}

function remove(kind, name) {
	listsOf(kind).forEach(rows => rows.delete(name));
	tables[kind].changed();
}

export function takeStatus(kind, status) {
	for (const rows of listsOf(kind)) {
		const row = rows.get(status.name);
		if (row)
			rows.set(status.name, { ...row, status });
	}
	tables[kind].changed();
}

function takeRevision(revision) {
	newestRevision.set(revision);
	for (const kind of KINDS) {
		const changes = revision.changes.filter(one => one.kind === kind);
		if (tables[kind].value.state === "unknown")
			continue;
		if (changes.length > RELOAD_ABOVE)
			load(kind);
		else
			changes.forEach(({ name, op }) => op === "delete" ? remove(kind, name) : reload(kind, name));
	}
}

function reloadAll() {
	for (const kind of KINDS)
		if (tables[kind].value.state !== "unknown")
			load(kind);
	callWatchers.forEach(watcher => watcher(null));
	get("/status").then(status => switchcore.set(status.switchcore), () => {});
}

// ------------------------------------------------------------------ the stream

let source, again;
const streams = () => source?.readyState === EventSource.OPEN;

function closed() {
	heard("lost");
	if (source?.readyState !== EventSource.CLOSED)
		return;		// the browser tries by itself, and says where it was
	clearTimeout(again);
	again = setTimeout(() => {
		// Refused, not cut: is the session at its end?
		get("/session").then(() => streams() || open(), error => { if (error.status !== 401) closed(); });
	}, AGAIN_MS);
	KINDS.filter(kind => tables[kind].value.state === "wanted").forEach(load);	// better without events than not at all
}

function open() {
	let resumes = false;	// it goes on where it was: known once an event said where that is
	clearTimeout(again);
	source?.close();
	source = new EventSource("/api/v1/events");
	const on = (type, taker) => source.addEventListener(type, event => { resumes = true; taker(JSON.parse(event.data)); });
	source.onopen = () => {
		heard("ok");
		if (!resumes)
			reloadAll();
	};
	source.onerror = closed;
	on("registration", status => takeStatus("registrations", status));
	on("gateway", status => takeStatus(status.kind, status));
	on("call", call => callWatchers.forEach(watcher => watcher(call)));
	on("revision", takeRevision);
	on("switchcore", state => { switchcore.set(state); reloadAll(); });
	on("reset", reloadAll);
}

// A browser has six connections to one server: a page that nobody sees gives its one back.
let hides;
document.addEventListener("visibilitychange", () => {
	clearTimeout(hides);
	if (document.hidden) {
		hides = setTimeout(() => { source?.close(); source = null; }, HIDDEN_MS);
	} else if (!source && follows) {
		open();
	}
});

let follows = null;
session.watch(() => {
	const who = session.value?.role ? session.value.username : null;
	if (who === follows)
		return;
	follows = who;
	clearTimeout(again);
	source?.close();
	if (who)
		open();
});

// A lost server is asked again, also when no stream does.  Once it answers, no banner says that states are old: they must not be.
// One that hangs, or a cable that is out, ends no stream: only a question without an answer tells of it.
let asked = 0;
setInterval(() => {
	if (!session.value?.role || document.hidden || Date.now() - asked < (connection.value.state === "lost" ? AGAIN_MS : PULSE_MS))
		return;
	asked = Date.now();
	call("GET", "/status", { signal: AbortSignal.timeout(PATIENCE_MS) }).then(({ data }) => switchcore.set(data.switchcore), () => {});
}, AGAIN_MS);
connection.watch(() => {
	if (connection.value.state === "ok" && session.value?.role && source && !streams())
		open();
});
