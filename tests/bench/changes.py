"""Durable changes over HTTP."""

from measure import alternating, median, quietly, run_json, say
from programs import ONE_COMMIT, TOOLS, Etcd, Product, bare_http, capture, copy_database, load
from table import Row, at_least, at_most

STORED, MANY = 100, 100_000
CLIENTS = 64


def one_client(work):
    """One client against the sum of its parts and against etcd."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product, \
            Etcd(work / "etcd") as etcd:
        change = product.user_agent_change()
        resource = product.request("get", "GET", "/registrations/r######")
        answer = capture(product.address, change, work / "answer")
        size = len(capture(product.address, resource, work / "resource").read_bytes().partition(b"\r\n\r\n")[2])
        put = etcd.put_of(size)
        with bare_http(answer) as (bare, _):
            bare_put = work / "put"
            bare_put.write_bytes(change.read_bytes().replace(b"PATCH ", b"PUT ", 1))
            load(product.address, change, objects=STORED, seconds=0.5)
            database = copy_database(product, work / "bare.db")
            results = alternating(
                4,
                product=lambda: load(product.address, change, objects=STORED, seconds=4),
                sqlite=lambda: run_json(TOOLS / "bare_sqlite", database, "--seconds", 2),
                http=lambda: load(bare, bare_put, objects=STORED, seconds=1.5),
                etcd=lambda: load(etcd.address, put, objects=STORED, seconds=3))
    product, sqlite, http, etcd = (results[name] for name in ("product", "sqlite", "http", "etcd"))
    p50, parts = median(product, "p50_us"), median(sqlite, "p50_us") + median(http, "p50_us")
    rate, etcd_rate = median(product, "rate"), median(etcd, "rate")
    p999 = median(product, "p999_us")
    first = at_most("durable change, 1 client, p50 against bare SQLite + bare HTTP", p50 / parts, 1.25,
                    f"{p50 / parts:.2f}x ({p50:.0f} us; {median(sqlite, 'p50_us'):.0f} + {median(http, 'p50_us'):.0f} us)")
    tail = at_most("durable change, 1 client, p99.9 against p50", p999 / p50, 10, f"{p999 / p50:.1f}x ({p999:.0f} us)")
    tail.notes.append(f"bare SQLite: p99.9 {median(sqlite, 'p999_us') / median(sqlite, 'p50_us'):.1f}x its p50, "
                      f"{median(sqlite, 'rate'):.0f} commits/s")
    return [first, at_least("durable change, 1 client, rate against etcd", rate / etcd_rate, 2,
                            f"{rate / etcd_rate:.2f}x ({rate:.0f}/s; {etcd_rate:.0f}/s)"), tail]


def many_clients(work):
    """64 clients against etcd and against a build of ours that commits each change alone."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product, \
            Product(work / "one", mgmtd=ONE_COMMIT).start("mgmtd", "switchcore").fill(STORED, enabled=False) as one, \
            Etcd(work / "etcd") as etcd:
        change, change_one = product.user_agent_change(), one.user_agent_change()
        put = etcd.put_of(700)
        results = alternating(
            3,
            product=lambda: load(product.address, change, CLIENTS, objects=STORED, seconds=4),
            one=lambda: load(one.address, change_one, CLIENTS, objects=STORED, seconds=3),
            etcd=lambda: load(etcd.address, put, CLIENTS, objects=STORED, seconds=4))
    rate, one_rate, etcd_rate = (median(results[name], "rate") for name in ("product", "one", "etcd"))
    return [at_least(f"durable changes, {CLIENTS} clients, rate against etcd", rate / etcd_rate, 2.5,
                     f"{rate / etcd_rate:.2f}x ({rate:.0f}/s; {etcd_rate:.0f}/s)"),
            at_least(f"durable changes, {CLIENTS} clients, against one commit per change", rate / one_rate, 6,
                     f"{rate / one_rate:.2f}x ({one_rate:.0f}/s; p99 {median(results['product'], 'p99_us') / 1000:.1f} ms)")]


def stored(work):
    """The same change with few and with many registrations stored."""
    with Product(work / "few").start("mgmtd", "switchcore").fill(STORED, enabled=False) as few, \
            Product(work / "many").start("mgmtd", "switchcore") as many:
        say(f"storing {MANY} registrations")
        many.fill(MANY, enabled=False)
        change_few, change_many = few.user_agent_change(), many.user_agent_change()
        results = alternating(
            4,
            few=lambda: load(few.address, change_few, objects=STORED, seconds=3),
            many=lambda: load(many.address, change_many, objects=MANY, seconds=3))
    few_p50, many_p50 = (median(results[name], "p50_us") for name in ("few", "many"))
    row = at_most(f"the same change with {MANY} registrations stored against {STORED}, p50", many_p50 / few_p50, 1.15,
                  f"{many_p50 / few_p50:.2f}x ({many_p50:.0f} us; {few_p50:.0f} us)")
    row.notes.append(f"rate {median(results['many'], 'rate'):.0f}/s; {median(results['few'], 'rate'):.0f}/s")
    return [row]


def applied(work):
    """From the 2xx to the running switchcore."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product:
        product.wait_switch("up")
        change = product.user_agent_change("r000007")
        result = quietly(lambda: run_json(TOOLS / "applied", "--to", product.address, "--request", change, "--run", product.run,
                                          "--count", 3000))
    p99 = result["p99_us"] / 1000
    row = Row("2xx -> the running switchcore uses the value, p99", f"{p99:.2f} ms (p50 {result['p50_us'] / 1000:.2f} ms)", "<= 2 ms",
              2 / p99)
    row.notes.append(f"{result['early']} of {result['count']} were in use before the 2xx was received; worst {result['max_us'] / 1000:.2f} ms")
    return [row]
