// A SIP message as text, taken apart as far as a ladder and a reader need it (RFC 3261 7).

const compact = { i: "call-id", m: "contact", e: "content-encoding", l: "content-length", c: "content-type", f: "from", s: "subject", k: "supported", t: "to", v: "via" };

const plainName = name => compact[name.toLowerCase()] || name.toLowerCase();

// {start, headers: [{name, value}], body}; a folded header keeps its line ends in the value.
export function parts(message) {
	const end = /\r?\n\r?\n/.exec(message), head = end ? message.slice(0, end.index) : message.replace(/\r?\n$/, "");
	const [start, ...lines] = head.split(/\r?\n/), headers = [];
	for (const line of lines) {
		const colon = line.indexOf(":");
		if (/^[ \t]/.test(line) && headers.length)
			headers[headers.length - 1].value += `\n${line}`;
		else
			headers.push(colon < 0 ? { name: "", value: line } : { name: line.slice(0, colon).trimEnd(), value: line.slice(colon + 1).trim() });
	}
	return { start, headers, body: end ? message.slice(end.index + end[0].length) : "" };
}

function kindOf(code) {
	if (!code)
		return "request";
	if (code < 200)
		return "provisional";
	if (code < 300)
		return "success";
	return code === 401 || code === 407 ? "challenge" : "failure";
}

const read = new WeakMap();	// items do not change

// What is told of an item of GET /trace: {kind, method, code, phrase, label, again: what alone two copies share, dialog: what a request and its answers share}
export function facts(item) {
	let known = read.get(item);
	if (known)
		return known;
	const { start, headers, body } = parts(item.message);
	const header = name => headers.find(one => plainName(one.name) === name)?.value || "";
	const answer = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(start), code = answer ? Number(answer[1]) : 0;
	const cseq = header("cseq"), method = answer ? cseq.split(/\s+/)[1] || "" : start.split(" ")[0], toTag = /;\s*tag=([^;\s]+)/.exec(header("to"))?.[1] || "";
	const branch = /;\s*branch=([^;,\s]+)/.exec(header("via"))?.[1] || "", type = header("content-type").split(";")[0];
	const label = answer ? `${code} ${answer[2]}` : method === "INVITE" && toTag ? "re-INVITE" : method;
	known = { kind: kindOf(code), method, code, phrase: answer ? answer[2] : "", label, type: body ? type : "", from: header("from"), to: header("to"),
	          again: [item.direction, item.remote, item.call_id, start, cseq, branch, toTag].join("\n"), transaction: [item.call_id, cseq, branch].join("\n") };
	read.set(item, known);
	return known;
}

// [{item, facts, copyOf, answers}]: in turn, with the first of its kind for one that was sent again, and the request that an answer is to
export function followed(items) {
	const first = new Map(), requests = new Map();
	return items.map(item => {
		const told = facts(item), copyOf = first.get(told.again) || null;
		if (!copyOf)
			first.set(told.again, item);
		// The last copy before the answer is the one that was heard, as far as anybody can tell.
		if (told.kind === "request")
			requests.set(`${item.direction}\n${told.transaction}`, item);
		const answers = told.kind === "request" ? null : requests.get(`${item.direction === "in" ? "out" : "in"}\n${told.transaction}`) || null;
		return { item, facts: told, copyOf, answers };
	});
}
