"""Makes the files of this folder: exports of each platform in its own shape, about people who do not exist, and expected.json.

The expected numbers are computed here from what was written, in plain Python; nothing of the program is asked.
Run in this folder: python3 make.py
"""
import csv
import datetime as dt
import io
import json
import random
import zipfile
from decimal import Decimal as D
from xml.sax.saxutils import escape

R = random.Random(20260618)
EXPECTED = []
CNY = D("0.01")


def money(low, high):
    return (D(R.randint(low * 100, high * 100)) / 100).quantize(CNY)


class Person:
    """Known on each channel by another name, everywhere by one phone."""

    def __init__(self, nth):
        self.nth = nth
        self.phone = f"139{R.randint(0, 9999):04d}{nth:04d}"
        self.name = R.choice("赵钱孙李周吴郑王冯陈") + R.choice(["一一", "小麦", "青禾", "望舒", "星野", "𠮷安"])
        self.tmall = f"tb_{nth:05d}"
        self.jd = f"jd_{nth:05d}_p"
        self.member = f"M{nth:06d}"

    def masked(self):
        return self.phone[:3] + "******" + self.phone[-2:]


PEOPLE = [Person(nth) for nth in range(40)]
START = dt.datetime(2026, 6, 1, 8, 0, 0)


def moment(nth):
    return START + dt.timedelta(hours=7 * nth, minutes=nth % 60, seconds=nth * 13 % 60)


def iso(time):
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else ""


def slashed(time):
    """As Excel writes it back: 2026/6/1 8:02, no seconds."""
    return f"{time.year}/{time.month}/{time.day} {time.hour}:{time.minute:02d}" if time else ""


def grouped(amount):
    return f"{amount:,.2f}"


def delimited(name, header, rows, encoding, delimiter=",", bom=False, crlf=True, before=(), after=()):
    """Quotes cells that need it. Lines of `before` stand over the header, those of `after` under it."""
    out = io.StringIO()
    write = csv.writer(out, delimiter=delimiter, lineterminator="\r\n" if crlf else "\n").writerow
    for line in before:
        write(line)
    write(header)
    for line in after:
        write(line)
    for row in rows:
        write(row)
    with open(name, "wb") as file:
        file.write((b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode(encoding))


def column_name(nth):
    name = ""
    nth += 1
    while nth:
        nth, rest = divmod(nth - 1, 26)
        name = chr(65 + rest) + name
    return name


def workbook(name, sheets):
    """`sheets`: (name, rows). Texts go to the shared strings, numbers and times are such, None is no cell at all."""
    strings, index = [], {}

    def cell(row, column, value):
        ref = f"{column_name(column)}{row}"
        if value is None or value == "":
            return ""
        if isinstance(value, dt.datetime):
            serial = (value - dt.datetime(1899, 12, 30)).total_seconds() / 86400
            return f'<c r="{ref}" s="1"><v>{serial!r}</v></c>'
        if isinstance(value, (int, D)):
            return f'<c r="{ref}"><v>{value}</v></c>'
        if value not in index:
            index[value] = len(strings)
            strings.append(value)
        return f'<c r="{ref}" t="s"><v>{index[value]}</v></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    parts = {}
    for nth, (sheet, rows) in enumerate(sheets, 1):
        body = "".join(
            f'<row r="{at}">' + "".join(cell(at, column, value) for column, value in enumerate(row)) + "</row>"
            for at, row in enumerate(rows, 1)
        )
        parts[f"xl/worksheets/sheet{nth}.xml"] = f'{head}<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
    listed = "".join(f'<sheet name="{escape(sheet)}" sheetId="{nth}" r:id="rId{nth}"/>' for nth, (sheet, _) in enumerate(sheets, 1))
    parts["xl/workbook.xml"] = f'{head}<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{listed}</sheets></workbook>'
    links = "".join(f'<Relationship Id="rId{nth}" Type="{rel}/worksheet" Target="worksheets/sheet{nth}.xml"/>' for nth in range(1, len(sheets) + 1))
    more = len(sheets)
    links += f'<Relationship Id="rId{more + 1}" Type="{rel}/sharedStrings" Target="sharedStrings.xml"/>'
    links += f'<Relationship Id="rId{more + 2}" Type="{rel}/styles" Target="styles.xml"/>'
    package = "http://schemas.openxmlformats.org/package/2006"
    parts["xl/_rels/workbook.xml.rels"] = f'{head}<Relationships xmlns="{package}/relationships">{links}</Relationships>'
    texts = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    parts["xl/sharedStrings.xml"] = f'{head}<sst xmlns="{main}" count="{len(strings)}" uniqueCount="{len(strings)}">{texts}</sst>'
    parts["xl/styles.xml"] = f'{head}<styleSheet xmlns="{main}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>'
    parts["_rels/.rels"] = f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    over = f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
    over += "".join(f'<Override PartName="/xl/worksheets/sheet{nth}.xml" ContentType="{types}.worksheet+xml"/>' for nth in range(1, more + 1))
    parts["[Content_Types].xml"] = f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>{over}</Types>'
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as book:
        for path, text in sorted(parts.items()):
            book.writestr(zipfile.ZipInfo(path, (2026, 6, 18, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)


def text_of(value):
    if isinstance(value, D) and value.as_tuple().exponent > -2:
        value = value.quantize(CNY)
    return "" if value is None else str(value)


def expect(file, source, table, read, rejected, query, answer, **more):
    """A load, a query after it, and the rows that it must give: texts, NULL empty."""
    rows = [[text_of(cell) for cell in row] for row in answer]
    EXPECTED.append({"file": file, "source": source, "table": table, "read": read, "rejected": rejected, "query": query, "answer": rows, **more})


ORDERS = (
    "SELECT status, count(*), count(DISTINCT one_id), sum(gross_amount), sum(discount_amount), sum(paid_amount), sum(refund_amount), "
    "sum(shipping_amount), sum(item_count), CAST(min(order_time) AS TEXT), CAST(max(complete_time) AS TEXT), min(team) "
    "FROM orders WHERE channel = '{}' AND order_id LIKE '{}%' GROUP BY status ORDER BY status"
)
ITEMS = (
    "SELECT count(*), count(DISTINCT order_id), max(line_no), sum(quantity), sum(unit_price), sum(paid_amount), sum(refund_amount), "
    "min(product_name), max(sku_id) FROM order_items WHERE channel = '{}' AND order_id LIKE '{}%'"
)


def shown(time):
    return f"{iso(time)}+08" if time else None


def orders_by_status(orders):
    """`orders`: dicts of what an order is in truth."""
    answer = []
    for status in sorted({order["status"] for order in orders}):
        of = [order for order in orders if order["status"] == status]

        def total(key):
            known = [order[key] for order in of if order.get(key) is not None]
            return sum(known) if known else None

        done = [order["complete"] for order in of if order.get("complete")]
        people = {order["person"] for order in of if order.get("person") is not None}
        answer.append([
            status, len(of), len(people), total("gross"), total("discount"), total("paid"), total("refund"), total("shipping"),
            total("pieces"), shown(min(order["time"] for order in of)), shown(max(done)) if done else None, of[0]["team"],
        ])
    return answer


def life(nth, words):
    """The word of the platform, the status, and whether it was paid and completed."""
    step = ["created", "paid", "shipped", "completed", "completed", "completed", "cancelled", "refunded"][nth % 8]
    return words[step], step, step not in ("created", "cancelled"), step == "completed"


# Taobao and Tmall: orders.
HEADER = "订单编号,买家会员名,买家支付宝账号,支付单号,支付详情,买家应付货款,买家应付邮费,买家支付积分,总金额,返点积分,买家实际支付金额,买家实际支付积分,订单状态,买家留言,收货人姓名,收货地址 ,运送方式,联系电话 ,联系手机,订单创建时间,订单付款时间 ,宝贝标题 ,宝贝种类 ,物流单号 ,物流公司,订单备注,宝贝总数量,店铺Id,店铺名称,订单关闭原因,卖家服务费,买家服务费,发票抬头,是否手机订单,分阶段订单信息,特权订金订单id,是否上传合同照片,是否上传小票,是否代付,定金排名,修改后的sku,修改后的收货地址,异常信息,天猫卡券抵扣,集分宝抵扣,是否是O2O交易,新零售交易类型,新零售导购门店名称,新零售导购门店id,新零售发货门店名称,新零售发货门店id,退款金额,预约门店,确认收货时间,打款商家金额,含应开票给个人的个人红包,是否信用购,体验期结束时间,前N有礼,配送类型,主订单编号".split(",")
WORDS = {"created": "等待买家付款", "paid": "买家已付款，等待卖家发货", "shipped": "卖家已发货，等待买家确认", "completed": "交易成功", "cancelled": "交易关闭", "refunded": "交易关闭"}
rows, truth = [], []
for nth in range(80):
    person, time = PEOPLE[nth % 30], moment(nth)
    word, status, paid, done = life(nth, WORDS)
    goods, shipping, pieces = money(30, 900), money(0, 12), R.randint(1, 4)
    refund = goods + shipping if status == "refunded" else (D("5.00") if nth % 16 == 3 else D(0))
    order = {"订单编号": f'="90260{nth:013d}"', "买家会员名": person.tmall, "买家支付宝账号": f"{person.phone}@example.com", "支付单号": f'="{nth:020d}"'}
    order |= {"买家应付货款": goods, "买家应付邮费": shipping, "总金额": goods + shipping, "买家实际支付金额": goods + shipping if paid else D(0), "订单状态": word}
    order |= {"买家留言": "null", "收货人姓名": person.name, "收货地址 ": "浙江省 杭州市 西湖区 不存在路 1 号", "联系电话 ": "'", "联系手机": f"'{person.phone}"}
    # Two editions of time stand in the wild.
    write = iso if nth % 2 else slashed
    exact = (lambda time: time) if nth % 2 else (lambda time: time.replace(second=0))
    pay, complete = time + dt.timedelta(minutes=9), time + dt.timedelta(days=8)
    order |= {"订单创建时间": write(time), "订单付款时间 ": write(pay) if paid else "", "确认收货时间": write(complete) if done else ""}
    order |= {"宝贝标题 ": "舒缓面霜 50ml，“新”包装", "宝贝总数量": pieces, "订单关闭原因": "订单未关闭", "卖家服务费": "0元", "打款商家金额": f"{goods}元", "退款金额": refund if refund else "无退款申请"}
    order |= {"新零售导购门店id": "null"}
    if nth == 17:
        order["订单状态"] = "等待外星人签收"
    if nth == 42:
        order["买家应付货款"] = "一百元"
    rows.append([order.get(name, "") for name in HEADER])
    if nth not in (17, 42):
        truth.append({"status": status, "person": person.nth, "gross": goods, "discount": D("0.00"), "paid": goods + shipping if paid else D("0.00"), "refund": refund, "shipping": shipping, "pieces": pieces, "time": exact(time), "complete": exact(complete) if done else None, "team": "tmall"})
delimited("ExportOrderList202606181000.csv", HEADER, rows, "gb18030")
expect("ExportOrderList202606181000.csv", "tmall_orders", "orders", 80, 2, ORDERS.format("tmall", "90260"), orders_by_status(truth))

# The same platform two years on: columns came, went, and have another name.
newer = [name for name in HEADER if name not in ("集分宝抵扣",)]
newer = ["宝贝数量" if name == "宝贝总数量" else name for name in newer] + ["发货时间", "神秘新列"]
named = [dict(zip(HEADER, row)) for row in rows[:10]]
moved = []
for nth, row in enumerate(named):
    row |= {"订单编号": f'="91260{nth:013d}"', "宝贝数量": row["宝贝总数量"], "发货时间": "", "神秘新列": f"值{nth}"}
    moved.append([row.get(name, "") for name in newer])
delimited("ExportOrderList202806181000.csv", newer, moved, "utf-8", bom=True)
# It lacks a header by which the source is known, so that it must be named.
expect("ExportOrderList202806181000.csv", "tmall_orders", "orders", 10, 0,
       "SELECT count(*), sum(item_count), min(extras ->> '神秘新列'), bool_or(extras::text LIKE '%集分宝%') FROM orders WHERE order_id LIKE '91260%'",
       [[10, sum(order["pieces"] for order in truth[:10]), "值0", "f"]], forced=True,
       header={"renamed": [["宝贝数量", "宝贝总数量"]], "missing": ["集分宝抵扣"], "new": ["神秘新列"]})

# Taobao and Tmall: lines.
HEADER = "子订单编号,主订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码,支付单号,买家应付货款,买家实际支付金额,退款状态,退款金额,订单创建时间,订单付款时间".split(",")
rows, total = [], {"lines": 0, "orders": set(), "pieces": 0, "prices": D(0), "paid": D(0), "refund": D(0), "titles": set(), "skus": set(), "longest": 0}
for nth in range(40):
    lines = 1 + nth % 3
    for line in range(lines):
        price, pieces = money(20, 400), R.randint(1, 3)
        refund = D("10.00") if (nth + line) % 7 == 0 else D(0)
        title, sku = f"精华液 第{nth:02d}号", f"SKU-{nth % 9:03d}-{line}"
        row = {"子订单编号": f'="90260{nth:013d}{line}"', "主订单编号": f'="90260{nth:013d}"', "标题": title, "价格": price, "购买数量": pieces, "外部系统编号": sku, "备注": "null"}
        row |= {"订单状态": "交易成功", "商家编码": sku, "支付单号": "null", "买家应付货款": price * pieces, "买家实际支付金额": price * pieces, "退款状态": "没有申请退款", "退款金额": refund or "无退款申请", "订单创建时间": iso(moment(nth)), "订单付款时间": iso(moment(nth))}
        rows.append([row.get(name, "") for name in HEADER])
        total["lines"] += 1
        total["pieces"] += pieces
        total["prices"] += price
        total["paid"] += price * pieces
        total["refund"] += refund
        total["titles"].add(title)
        total["skus"].add(sku)
    total["orders"].add(nth)
    total["longest"] = max(total["longest"], lines)


def items(total):
    four = total["prices"].quantize(D("0.0001"))
    return [[total["lines"], len(total["orders"]), total["longest"], total["pieces"], four, total["paid"], total["refund"], min(total["titles"]), max(total["skus"])]]


delimited("ExportOrderDetailList202606181000.csv", HEADER, rows, "gb18030")
expect("ExportOrderDetailList202606181000.csv", "tmall_order_details", "order_items", len(rows), 0, ITEMS.format("tmall", "90260"), items(total))

# Douyin: orders of 73 and 75 columns; a row is a sub-order.
HEADER = "主订单编号,子订单编号,选购商品,商品规格,商品数量,商品ID,商家编码,商品单价,订单应付金额,运费,优惠总金额,平台优惠,商家优惠,达人优惠,商家改价,支付优惠,红包抵扣,支付方式,手续费,收件人,收件人手机号,省,市,区,街道,详细地址,是否修改过地址,地址修改时段,买家留言,订单提交时间,旗帜颜色,商家备注,订单完成时间,支付完成时间,APP渠道,流量来源,订单状态,承诺发货时间,订单类型,鲁班落地页ID,达人ID,达人昵称,所属门店ID,售后状态,取消原因,预约发货时间,仓库ID,仓库名称,序列号,是否安心购,广告渠道,流量类型,流量体裁,流量渠道,发货主体,发货主体明细,发货时间,降价类优惠,平台实际承担优惠金额,商家实际承担优惠金额,达人实际承担优惠金额,预计送达时间,是否平台仓自流转,车型,商品69码,发货SN码,发货IMEI码1,发货IMEI码2,预约送达时间,建议发货时间（起）,建议发货时间（止）,物流SN码,物流IMEI码1,物流IMEI码2".split(",")
WORDS = {"created": "待支付", "paid": "备货中", "shipped": "已发货", "completed": "已完成", "cancelled": "已关闭", "refunded": "已关闭"}
for edition, prefix in ((73, "692673"), (75, "692675")):
    header = HEADER if edition == 73 else HEADER[:5] + ["货号"] + HEADER[5:8] + ["商品金额"] + HEADER[8:]
    rows, truth = [], []
    total = {"lines": 0, "orders": set(), "pieces": 0, "prices": D(0), "paid": D(0), "refund": D(0), "titles": set(), "skus": set(), "longest": 0}
    for nth in range(48):
        person, time = PEOPLE[nth % 20], moment(nth)
        word, status, paid, done = life(nth, WORDS)
        masked = nth % 5 == 4
        lines = 1 + nth % 2
        order = {"gross": D(0), "discount": D(0), "payable": D(0), "shipping": D(0), "refund": D(0), "pieces": 0}
        for line in range(lines):
            price, pieces, discount, shipping = money(50, 2500), R.randint(1, 2), money(0, 20), money(0, 5)
            payable = price * pieces - discount + shipping
            returned = paid and (status == "refunded" or (done and line == 1))
            title, code = f"清爽防晒乳 {nth:02d}-{line}", f"C{nth % 7:03d}"
            row = {"主订单编号": f"{prefix}{nth:012d}\t", "子订单编号": f"{prefix}{nth:012d}{line}\t", "选购商品": title, "商品规格": "50ml,默认", "商品数量": pieces, "商品ID": f"35{nth:017d}", "商家编码": code}
            row |= {"商品单价": grouped(price), "订单应付金额": grouped(payable), "运费": shipping, "优惠总金额": discount, "收件人": person.name, "收件人手机号": person.masked() if masked else person.phone, "省": "广东省", "市": "广州市"}
            row |= {"订单提交时间": iso(time), "支付完成时间": iso(time) if paid else "-", "订单完成时间": iso(time + dt.timedelta(days=9)) if done else "-", "订单状态": word}
            row |= {"售后状态": "退款成功" if returned else "-", "流量体裁": R.choice(["直播", "短视频", "商品卡", "数据将于第二天更新"]), "达人昵称": "-", "货号": code, "商品金额": grouped(price * pieces), "详细地址": "不存在路 2 号", "建议发货时间（起）": "-"}
            rows.append([row.get(name, "") for name in header])
            for key, value in (("gross", price * pieces), ("discount", discount), ("payable", payable), ("shipping", shipping), ("pieces", pieces)):
                order[key] += value
            order["refund"] += payable if returned else D(0)
            total["lines"] += 1
            total["pieces"] += pieces
            total["prices"] += price
            total["paid"] += payable - shipping if paid else D(0)
            total["refund"] += payable if returned else D(0)
            total["titles"].add(title)
            total["skus"].add(code)
        total["orders"].add(nth)
        total["longest"] = max(total["longest"], lines)
        truth.append({"status": status, "person": None if masked else person.nth, "gross": order["gross"], "discount": order["discount"], "paid": order["payable"] if paid else D("0.00"), "refund": order["refund"] + D("0.00"), "shipping": order["shipping"], "pieces": order["pieces"], "time": time, "complete": time + dt.timedelta(days=9) if done else None, "team": "douyin"})
    name = f"douyin_orders_{edition}.csv"
    if edition == 73:
        delimited(name, header, rows, "utf-8", bom=True)
    else:
        delimited(name, header, rows, "gb18030")
    expect(name, "douyin_orders", "orders", 48, 0, ORDERS.format("douyin", prefix), orders_by_status(truth), header={"renamed": [], "missing": [], "new": []})
    expect(name, "douyin_orders", "order_items", len(rows), 0, ITEMS.format("douyin", prefix), items(total))

# JD: a row is a product of an order; amounts with a note in brackets, phones masked.
HEADER = "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,结算金额,余额支付,应付金额,订单状态,订单类型,下单帐号,客户姓名,客户地址,联系电话,订单备注,发票类型,发票抬头,发票内容,增值税发票,商家备注,商家备注等级（等级1-5为由高到低）,运费金额,付款确认时间,订单完成时间,订单来源,订单渠道,送装服务,服务费,仓库id,仓库名称,货号,商家应收".split(",")
WORDS = {"created": "等待付款", "paid": "等待出库", "shipped": "等待确认收货", "completed": "完成", "cancelled": "(删除)等待付款", "refunded": "(删除)等待出库"}
rows, truth = [], []
for nth in range(40):
    person, time = PEOPLE[(nth * 3) % 40], moment(nth)
    word, status, paid, done = life(nth, WORDS)
    lines = [(money(40, 1500), R.randint(1, 3)) for _ in range(1 + nth % 3)]
    gross = sum(price * pieces for price, pieces in lines)
    discount, balance, shipping = money(0, 15), money(0, 9), money(0, 10)
    settled = gross - discount
    payable = settled + shipping - balance
    for line, (price, pieces) in enumerate(lines):
        row = {"订单号": f"28{nth:010d}", "商品ID": f"1000{nth:04d}{line}", "商品名称": "氨基酸洁面 (150g)", "订购数量": pieces, "支付方式": "在线支付", "下单时间": iso(time), "京东价": grouped(price)}
        row |= {"订单金额": grouped(gross), "结算金额": grouped(settled), "余额支付": balance, "应付金额": grouped(payable), "订单状态": word, "下单帐号": person.jd, "客户姓名": person.name, "客户地址": "不存在路 3 号", "联系电话": f"1******{person.phone[-4:]}"}
        row |= {"运费金额": shipping, "付款确认时间": iso(time) if paid else "", "订单完成时间": iso(time + dt.timedelta(days=5)) if done else "", "商家应收": f"{settled}（系统计算中，该值仅供参考）"}
        rows.append([row.get(name, "") for name in HEADER])
    truth.append({"status": status, "person": person.nth, "gross": gross, "discount": discount, "paid": payable + balance if paid else D("0.00"), "refund": payable + balance if status == "refunded" else D("0.00"), "shipping": shipping, "pieces": sum(pieces for _, pieces in lines), "time": time, "complete": time + dt.timedelta(days=5) if done else None, "team": "jd"})
R.shuffle(HEADER_ORDER := list(range(len(HEADER))))
# The order of JD's columns is nobody's promise.
delimited("jd_orders.csv", [HEADER[nth] for nth in HEADER_ORDER], [[row[nth] for nth in HEADER_ORDER] for row in rows], "gb18030")
expect("jd_orders.csv", "jd_orders", "orders", 40, 0, ORDERS.format("jd", "28"), orders_by_status(truth))
expect("jd_orders.csv", "jd_orders", "order_items", len(rows), 0, "SELECT count(*), count(DISTINCT order_id), max(line_no), count(paid_amount) FROM order_items WHERE channel = 'jd'", [[len(rows), 40, 3, 0]])

# Youzan: orders. One header stands twice, the header ends with a comma, blanks stand for nothing.
HEADER = "订单号,销售渠道,归属店铺,订单类型,订单状态,推广方式,订单来源,订单创建时间,买家付款时间,交易成功时间,付款方式,支付流水号,商品金额合计,运费,店铺优惠合计,应收订单金额,订单实付金额,支付优惠合计,订单实收金额,订单抵用积分数,店铺优惠方式,支付优惠方式,全部商品名称,商品种类数,订单配送方式,同城送达时间/提货时间,收货人省份,收货人城市,收货人地区,详细收货地址/提货地址,收货人/提货人,收货人手机号/提货人手机号,买家备注,订单星级,买家昵称,买家是否会员,买家手机号,下单网点,收银员,分销员,销售导购,专属导购,订单退款状态,订单已退款金额,商家订单备注,桌号,挂账主体,挂账手机号,团长订单,订单风险标签,分销员,分销员手机号,分销员所属店铺,分销员所属团队,分销员所属分组,分销员等级,订单佣金类型,订单佣金金额,订单下级卖货提成类型,订单下级卖货提成金额".split(",")
WORDS = {"created": "待付款", "paid": "待发货", "shipped": "已发货", "completed": "交易完成", "cancelled": "交易关闭", "refunded": "交易关闭"}
rows, truth = [], []
promoter = HEADER.index("分销员")
for nth in range(48):
    person, time = PEOPLE[(nth * 7) % 40], moment(nth)
    word, status, paid, done = life(nth, WORDS)
    masked = nth % 6 == 5
    gross, discount, other, shipping = money(60, 1200), money(0, 20), money(0, 5), money(0, 10)
    due = gross - discount - other + shipping
    refund = due if status == "refunded" else D("0.00")
    row = {"订单号": f"E2026060{nth:015d}", "销售渠道": "网店", "归属店铺": f"ST{nth % 4:03d}", "订单状态": word, "订单创建时间": iso(time), "买家付款时间": iso(time) if paid else "——", "交易成功时间": iso(time + dt.timedelta(days=6)) if done else "——"}
    row |= {"支付流水号": " ", "商品金额合计": gross, "运费": shipping, "店铺优惠合计": discount, "支付优惠合计": other, "应收订单金额": due, "订单实付金额": due if paid else "0.00", "全部商品名称": "面膜(1件)；乳液(2件)", "同城送达时间/提货时间": "2026-06-20 11:00 - 2026-06-20 12:00"}
    row |= {"收货人省份": "上海市", "收货人城市": "上海市", "收货人/提货人": person.name, "买家昵称": person.name, "买家手机号": person.masked() if masked else person.phone, "销售导购": f"G{nth % 5:03d}", "订单已退款金额": refund, "收银员": " ", "桌号": "——"}
    cells = [row.get(name, " ") for name in HEADER]
    cells[promoter] = f"P{nth % 3:03d}"
    rows.append(cells + [""])
    truth.append({"status": status, "person": None if masked else person.nth, "gross": gross, "discount": discount + other, "paid": due if paid else D("0.00"), "refund": refund, "shipping": shipping, "pieces": None, "time": time, "complete": time + dt.timedelta(days=6) if done else None, "team": "wecom"})
delimited("youzan_orders.csv", HEADER + [""], rows, "utf-8", bom=True)
expect("youzan_orders.csv", "youzan_orders", "orders", 48, 0, ORDERS.format("mini_program", "E2026060"), orders_by_status(truth), header={"renamed": [], "missing": [], "new": []})

# Youzan: customers, a workbook.
HEADER = "客户姓名,客户昵称,客户手机号,客户生日,客户性别,标签,是否会员,成长值,免费等级,付费等级,权益卡,客户积分,客户储值余额,消费次数,消费金额,累计退款金额,累计退款订单数,笔单价,上次消费时间,分销员,导购员,企微好友,来源渠道,来源方式,成为客户时间,成为会员时间,成为会员店铺,公众号,公众号关注时间,最近浏览时间,微信地域,所属区域,指定时间消费次数,指定时间消费金额,".split(",")
rows = [HEADER]
for nth in range(30):
    person = PEOPLE[nth]
    row = {"客户姓名": person.name, "客户昵称": f"昵称{nth:02d}", "客户手机号": person.phone if nth else person.masked(), "客户生日": f"1990-0{1 + nth % 9}-15" if nth % 3 else "——", "客户性别": ["女", "男", "未知"][nth % 3], "标签": "新客；敏感肌" if nth % 2 else "——", "是否会员": "是", "成长值": nth * 10, "免费等级": f"V{nth % 4}", "客户积分": nth * 7, "成为客户时间": moment(nth), "成为会员店铺": f"ST{nth % 4:03d}", "导购员": f"G{nth % 5:03d}", "微信地域": "浙江"}
    rows.append([row.get(name, None) for name in HEADER])
workbook("youzan_customers.xlsx", [("客户列表", rows)])
known = range(1, 30)
expect("youzan_customers.xlsx", "youzan_customers", "customers", 30, 1,
       "SELECT count(*), count(birth_date), count(*) FILTER (WHERE gender = 'female'), count(*) FILTER (WHERE '敏感肌' = ANY (tags)), min(phone_masked), CAST(max(registered_at) AS TEXT), count(DISTINCT member_level) FROM customers WHERE source_channel = 'mini_program'",
       [[29, sum(1 for nth in known if nth % 3), sum(1 for nth in known if nth % 3 == 0), sum(1 for nth in known if nth % 2), min(PEOPLE[nth].phone[:3] + "****" + PEOPLE[nth].phone[-4:] for nth in known), shown(moment(29)), 4]], share=0.1)

# WeChat shop: a workbook; a row is a product of an order; the employee who shared it is named.
HEADER = "订单号,订单下单时间,订单发货时间,订单确认收货时间,订单完成结算时间,订单状态,发货方式,收件人姓名,收件人地址,省,市,区,收件人手机,买家备注,商家备注,打标颜色,商品总价,订单实际支付金额,订单实际收款金额,订单运费,商品优惠,跨店优惠,商品改价,积分抵扣,支付方式,支付时间,交易单号,物流公司,快递单号,技术服务费,技术服务费（将以人气卡形式返还）,运费险预计投保费用,带货方式,带货账号类型,带货账号昵称,带货ID,带货费用渠道,带货费用类型,带货费用,带货佣金率,企微企业ID,企微工号,导购最近分享时间,企业微信加密id,企微备注,礼物单号,商品名称,商品编码(平台),商品编码(自定义),SKU编码(自定义),商品属性,商品价格(单件),商品实际价格(单件),商品实际价格(总共),是否预售,商品数量,商品平台券优惠,商品平均运费,活动商家补贴,定制信息,定制预览图,商品发货,商品售后,商品已退款金额".split(",")
WORDS = {"created": "待付款", "paid": "待发货", "shipped": "待收货", "completed": "完成", "cancelled": "未付款取消", "refunded": "全部售后取消"}
rows, truth = [HEADER], []
total = {"lines": 0, "orders": set(), "pieces": 0, "prices": D(0), "paid": D(0), "refund": D(0), "titles": set(), "skus": set(), "longest": 0}
for nth in range(40):
    person, time = PEOPLE[(nth * 11) % 40], moment(nth)
    word, status, paid, done = life(nth, WORDS)
    lines = [(money(30, 600), R.randint(1, 2)) for _ in range(1 + nth % 2)]
    gross = sum(price * pieces for price, pieces in lines)
    discount, shipping = money(0, 10), money(0, 8)
    refunds = [price * pieces if status == "refunded" else D(0) for price, pieces in lines]
    for line, (price, pieces) in enumerate(lines):
        title, sku = f"护手霜 {nth:02d}-{line}", f"W{nth % 6:03d}-{line}"
        row = {"订单号": f"37{nth:017d}", "订单下单时间": iso(time), "订单确认收货时间": iso(time + dt.timedelta(days=4)) if done else None, "订单状态": word, "收件人姓名": person.name, "收件人手机": person.phone, "省": "北京市", "市": "北京市", "商品总价": gross, "订单实际支付金额": gross - discount + shipping, "订单运费": shipping, "商品优惠": discount, "跨店优惠": 0, "支付时间": time if paid else None}
        row |= {"企微工号": f"G{nth % 5:03d}", "导购最近分享时间": iso(time - dt.timedelta(hours=1)), "商品名称": title, "商品编码(平台)": f"1000{nth:05d}{line}", "商品编码(自定义)": sku, "SKU编码(自定义)": sku, "商品价格(单件)": price, "商品实际价格(总共)": price * pieces, "商品数量": pieces, "商品已退款金额": refunds[line]}
        rows.append([row.get(name, None) for name in HEADER])
        total["lines"] += 1
        total["pieces"] += pieces
        total["prices"] += price
        total["paid"] += price * pieces if paid else D(0)
        total["refund"] += refunds[line]
        total["titles"].add(title)
        total["skus"].add(sku)
    total["orders"].add(nth)
    total["longest"] = max(total["longest"], len(lines))
    truth.append({"status": status, "person": person.nth, "gross": gross, "discount": discount, "paid": gross - discount + shipping if paid else D("0.00"), "refund": sum(refunds) + D("0.00"), "shipping": shipping, "pieces": sum(pieces for _, pieces in lines), "time": time, "complete": time + dt.timedelta(days=4) if done else None, "team": "wecom"})
workbook("wechat_shop_orders.xlsx", [("说明", [["本表由系统导出"]]), ("订单", rows)])
expect("wechat_shop_orders.xlsx", "wechat_shop_orders", "orders", 40, 0, ORDERS.format("wechat_shop", "37"), orders_by_status(truth))
expect("wechat_shop_orders.xlsx", "wechat_shop_orders", "order_items", len(rows) - 1, 0, ITEMS.format("wechat_shop", "37"), items(total))

# WeCom: contacts, one row a customer and an employee, one column a group of tags.
HEADER = "客户名称,描述,添加人,添加人账号,添加人所属部门,添加时间,来源,手机,企业,邮箱,地址,职务,电话,标签组1(肤质),标签组2(生命周期)".split(",")
rows, contacts = [HEADER], []
for nth in range(36):
    person = PEOPLE[nth % 24]
    guide, time = f"G{nth % 5:03d}", moment(nth)
    phone = person.phone if nth % 24 < 16 else None
    rows.append([f"客户{nth % 24:02d}", "备注", "导购", guide, "门店一部", iso(time), "扫描渠道二维码", phone, None, None, None, None, None, "干性" if nth % 2 else None, "新客"])
    contacts.append((person.nth, guide, time, phone))
workbook("wecom_contacts.xlsx", [("客户联系", rows)])
expect("wecom_contacts.xlsx", "wecom_contacts", "interactions", 36, 0,
       "SELECT count(*), count(DISTINCT one_id), count(DISTINCT guide_id), CAST(min(event_time) AS TEXT), min(team) FROM interactions WHERE event_type = 'add_contact'",
       [[36, len({person for person, _, _, phone in contacts if phone}), 5, shown(moment(0)), "wecom"]])
first = {}
for person, guide, time, phone in contacts:
    if phone:
        first.setdefault(person, guide)
expect("wecom_contacts.xlsx", "wecom_contacts", "customers", len(first), 0,
       "SELECT owner_guide_id, count(*) FROM customers WHERE source_channel = 'wecom' GROUP BY 1 ORDER BY 1",
       sorted([guide, list(first.values()).count(guide)] for guide in set(first.values())))

# WeCom: what employees did, from its interface. Nothing is said of replies on a day without chats.
lines, answer = [], []
for nth in range(20):
    day = int(dt.datetime(2026, 6, 1 + nth // 2, tzinfo=dt.timezone(dt.timedelta(hours=8))).timestamp())
    row = {"stat_time": day, "userid": f"G{nth % 2:03d}", "chat_cnt": nth, "message_cnt": nth * 5, "negative_feedback_cnt": nth % 3, "new_apply_cnt": nth % 4, "new_contact_cnt": nth % 5}
    if nth:
        row |= {"reply_percentage": 80.5, "avg_reply_time": 3}
    lines.append(json.dumps(row))
with open("wecom_behaviour.ndjson", "w") as file:
    file.write("\n".join(lines) + "\n")
expect("wecom_behaviour.ndjson", "wecom_behaviour", "guide_days", 20, 0,
       "SELECT guide_id, count(*), min(activity_date), sum(chats), sum(messages), count(reply_share), max(reply_share), sum(contacts_new) FROM guide_days GROUP BY guide_id ORDER BY guide_id",
       [[f"G{guide:03d}", 10, "2026-06-01", sum(range(guide, 20, 2)), 5 * sum(range(guide, 20, 2)), 10 if guide else 9, "0.8050", sum(nth % 5 for nth in range(guide, 20, 2))] for guide in (0, 1)])

# Douyin: after-sale cases, settlements with a row of notes under the header, movements of the account.
HEADER = "售后单号,订单号,商品单号,商品名称,商品ID,应付金额（元）,商品运费（元）,支付优惠（元）,商品税费（元）,商品发货状态,售后类型,退商品金额（元）,退运费金额（元）,退支付优惠（元）,退税费金额（元）,售后状态,售后申请时间,退款方式,是否已上传退款凭证,售后原因,售后原因标签,退货物流单号,退货异常,退货发货时间,退货物流公司,自动处理截止时间,同意售后申请时间,商家退款时间,用户到账时间,售后关闭时间,商家退货地址,商家退货联系人姓名,商家退货联系人电话,仲裁状态,纠纷责任方,是否极速退款,是否拒签后退款,发货物流单号,发货物流状态,换货物流单号,退货物流状态,售后完结时间,订单备注,用户售后说明,售后备注,操作人,协商记录,换货商品信息,商家编码,门店名称".split(",")
rows, refund = [], D(0)
for nth in range(25):
    amount = money(10, 1800)
    row = {"售后单号": f"'14{nth:014d}", "订单号": f"'692673{nth:012d}", "商品单号": f"'692673{nth:012d}0", "商品名称": "防晒乳", "售后类型": "仅退款", "退商品金额（元）": grouped(amount), "退运费金额（元）": "-", "售后状态": "退款成功", "售后申请时间": iso(moment(nth)), "售后原因": "不想要了", "商家退款时间": iso(moment(nth + 1)) if nth % 2 else "-", "售后完结时间": "-", "商家编码": f"C{nth % 7:03d}"}
    rows.append([row.get(name, "-") for name in HEADER])
    refund += amount
delimited("douyin_aftersale.csv", HEADER, rows, "gb18030")
expect("douyin_aftersale.csv", "douyin_aftersale", "service_cases", 25, 0, "SELECT count(*), sum(refund_amount), sum(shipping_refund_amount), count(refunded_at), min(case_id), min(team) FROM service_cases", [[25, refund, "0.00", 12, "14" + "0" * 14, "douyin"]])
HEADER = "结算时间,订单号,子订单号,结算金额,结算账户,结算单类型,有结算前退款,下单时间,商品ID,商品数量,业务类型,订单类型,订单总价,商品总价,运费,店铺劵,结算前退款金额,平台补贴,达人补贴,抖音支付补贴,抖音月付营销补贴,用户实付,收入合计,平台服务费,佣金,渠道分成,招商服务费,站外推广费,其他分成,其他分成说明,支出合计,是否免佣,免佣金额,备注".split(",")
rows, sums = [], [D(0)] * 4
for nth in range(25):
    paid = money(50, 3000)
    fee, commission = (paid * D("0.05")).quantize(CNY), (paid * D("0.1")).quantize(CNY)
    row = {"结算时间": iso(moment(nth + 30)), "订单号": f"'692673{nth:012d}", "子订单号": f"'692673{nth:012d}0", "结算金额": grouped(paid - fee - commission), "结算单类型": "货款结算", "下单时间": iso(moment(nth)), "用户实付": grouped(paid), "收入合计": grouped(paid), "平台服务费": -fee, "佣金": -commission, "支出合计": grouped(-fee - commission)}
    rows.append([row.get(name, "") for name in HEADER])
    sums = [left + right for left, right in zip(sums, (paid - fee - commission, paid, -fee, -commission))]
notes = [["说明：金额单位为元"] + [""] * (len(HEADER) - 1)]
delimited("douyin_settlements.csv", HEADER, rows, "gb18030", after=notes)
expect("douyin_settlements.csv", "douyin_settlements", "settlements", 25, 0, "SELECT count(*), sum(settled_amount), sum(paid_amount), sum(platform_fee), sum(commission), CAST(min(settled_at) AS TEXT) FROM settlements", [[25, *sums, shown(moment(30))]])
HEADER = "动账时间,动帐流水号,动账方向,动账金额,动账账户,动账场景,计费类型,子订单号,订单号,售后编号,下单时间,商品ID,订单类型,订单实付应结,运费实付,实际平台补贴_运费,实际平台补贴,实际达人补贴,实际抖音支付补贴,实际抖音月付营销补贴,订单退款,平台服务费,佣金,渠道分成,招商服务费,站外推广费,其他分成,是否免佣,免佣金额,备注".split(",")
rows, ways = [], {"in": [0, D(0)], "out": [0, D(0)]}
for nth in range(30):
    way, amount = ("out" if nth % 4 == 3 else "in"), money(5, 4000)
    row = {"动账时间": iso(moment(nth)), "动帐流水号": f"'88{nth:016d}", "动账方向": {"in": "入账", "out": "出账"}[way], "动账金额": grouped(amount), "动账账户": "聚合账户", "动账场景": "货款结算", "订单号": f"'692673{nth:012d}", "子订单号": f"'692673{nth:012d}0"}
    rows.append([row.get(name, "") for name in HEADER])
    ways[way] = [ways[way][0] + 1, ways[way][1] + amount]
delimited("douyin_funds.csv", HEADER, rows, "gb18030")
expect("douyin_funds.csv", "douyin_funds", "fund_movements", 30, 0, "SELECT direction, count(*), sum(amount) FROM fund_movements GROUP BY direction ORDER BY direction", [["in", *ways["in"]], ["out", *ways["out"]]], header={"renamed": [["动帐流水号", "动账流水号"]], "missing": [], "new": []})

# Qianchuan: two reports and the interface.
costs = {}
for kind, source, header, prefix in (
    ("standard", "qianchuan_standard", "日期,计划ID,计划名称,消耗(元),展示次数,点击次数,点击率(%),转化率(%),转化成本(元),直接成交订单数,直接成交金额,直接支付ROI,7日总支付ROI,成交订单成本,成交智能优惠券金额", "17"),
    ("all", "qianchuan_all", "日期,商品ID,整体消耗,整体成交订单数,整体成交金额,整体支付ROI,整体成交订单成本,整体成交智能优惠券金额", "36"),
):
    header = header.split(",")
    rows, cost, shown_times = [header], D(0), 0
    for nth in range(20):
        spent = money(100, 5000)
        row = {"日期": f"2026-06-{1 + nth // 2:02d}", "计划ID": f"{prefix}{nth % 2:015d}", "商品ID": f"{prefix}{nth % 2:015d}", "计划名称": "计划", "消耗(元)": grouped(spent), "整体消耗": grouped(spent), "展示次数": f"{nth * 1000:,}", "点击次数": nth * 10, "点击率(%)": "1.00", "直接成交订单数": nth, "直接成交金额": "0.00", "直接支付ROI": "-", "整体成交订单数": nth, "整体成交金额": "1,000.00", "整体支付ROI": "-"}
        rows.append([row.get(name, None) for name in header])
        cost, shown_times = cost + spent, shown_times + nth * 1000
    workbook(f"qianchuan_{kind}.xlsx", [("数据", rows)])
    expect(f"qianchuan_{kind}.xlsx", source, "channel_costs", 20, 0, f"SELECT count(*), sum(cost), sum(impressions), min(cost_date), min(team) FROM channel_costs WHERE campaign_id LIKE '{prefix}%'", [[20, cost, shown_times if kind == "standard" else None, "2026-06-01", "douyin"]])
lines, cost = [], D(0)
for nth in range(15):
    spent = money(100, 900)
    lines.append(json.dumps({"stat_datetime": f"2026-05-{1 + nth:02d}", "ad_id": 990000 + nth, "stat_cost": float(spent), "show_cnt": nth * 100, "click_cnt": nth, "ctr": 1.5, "cpm_platform": 2, "convert_cnt": 0, "convert_cost": 0, "convert_rate": 0, "pay_order_count": 1, "pay_order_amount": 10, "prepay_and_pay_order_roi": 1}))
    cost += spent
with open("qianchuan_api.ndjson", "w") as file:
    file.write("\n".join(lines) + "\n")
expect("qianchuan_api.ndjson", "qianchuan_api", "channel_costs", 15, 0, "SELECT count(*), sum(cost), sum(impressions) FROM channel_costs WHERE campaign_id LIKE '9900%'", [[15, cost, sum(nth * 100 for nth in range(15))]])

# Shengyi Canmou: live sessions and the orders that they brought.
HEADER = "直播标题,场次id,开播时间,直播间观看次数,直播间观看人数,新增粉丝数,转粉率,商品点击人数,商品点击次数,商品点击率,商品加购人数,商品加购件数,成交转化率,成交人数,成交件数,成交笔数,成交金额,互助率".split(",")
rows, sold, views = [], D(0), 0
for nth in range(12):
    amount, seen = money(1000, 90000), R.randint(1000, 90000)
    row = {"直播标题": f"618 专场 {nth}", "场次id": f'="4{nth:011d}"', "开播时间": iso(moment(nth)), "直播间观看次数": f"{seen:,}", "直播间观看人数": seen // 2, "新增粉丝数": nth, "转粉率": "1.20%", "成交人数": nth, "成交金额": grouped(amount)}
    rows.append([row.get(name, "-") for name in HEADER])
    sold, views = sold + amount, views + seen
delimited("taobao_live_sessions.csv", HEADER, rows, "gb18030")
expect("taobao_live_sessions.csv", "taobao_live_sessions", "live_sessions", 12, 0, "SELECT count(*), sum(sold_amount), sum(views), sum(orders), max(live_session_id), min(team) FROM live_sessions", [[12, sold, views, None, f"4{11:011d}", "tmall"]])
HEADER = "直播标题,开播时间,场次id,代播主播名称,会员名,直播间粉丝层级,商品id,商品标题,商品一级类目,父订单,子订单,下单时间,支付时间,支付金额,确认收货时间,确认收货金额,代播id".split(",")
rows, paid = [], D(0)
for nth in range(24):
    amount = money(20, 800)
    row = {"直播标题": "618 专场", "开播时间": iso(moment(0)), "场次id": f'="4{nth % 12:011d}"', "代播主播名称": "主播甲", "会员名": PEOPLE[nth % 30].tmall, "商品id": f'="68{nth:010d}"', "父订单": f'="90260{nth:013d}"', "子订单": f'="90260{nth:013d}0"', "下单时间": iso(moment(nth)), "支付时间": iso(moment(nth)), "支付金额": grouped(amount), "确认收货金额": "-"}
    rows.append([row.get(name, "") for name in HEADER])
    paid += amount
delimited("taobao_live_orders.csv", HEADER, rows, "gb18030")
expect("taobao_live_orders.csv", "taobao_live_orders", "live_orders", 24, 0, "SELECT count(*), count(DISTINCT one_id), sum(paid_amount), count(confirmed_amount), count(DISTINCT live_session_id) FROM live_orders", [[24, 24, paid, 0, 12]])

# Stores: receipts of the tills, between vertical bars.
HEADER = "小票号,门店编码,款台号,收银时间,单据类型,应收金额,优惠金额,实收金额,件数,收款方式,收银员,导购工号,会员姓名,会员手机号,会员卡号".split(",")
rows, truth = [], []
for nth in range(50):
    person, time = PEOPLE[(nth * 13) % 40], moment(nth)
    back, member = nth % 10 == 9, nth % 4 != 3
    gross, discount, pieces = money(80, 2000), money(0, 60), R.randint(1, 5)
    sign = -1 if back else 1
    row = {"小票号": f"S001-{nth:08d}", "门店编码": f"ST{nth % 4:03d}", "款台号": "01", "收银时间": iso(time), "单据类型": "退货" if back else "销售", "应收金额": f"￥{grouped(gross)}" if not back else f"-￥{grouped(gross)}", "优惠金额": discount * sign, "实收金额": (gross - discount) * sign, "件数": pieces * sign, "收款方式": "微信", "收银员": "收银", "导购工号": f"G{nth % 5:03d}"}
    row |= {"会员姓名": person.name, "会员手机号": person.phone, "会员卡号": person.member} if member else {"会员姓名": "无", "会员手机号": "无", "会员卡号": "无"}
    rows.append([row.get(name, "") for name in HEADER])
    truth.append({"status": "refunded" if back else "completed", "person": person.nth if member else None, "gross": gross, "discount": discount, "paid": D("0.00") if back else gross - discount, "refund": gross - discount if back else D("0.00"), "shipping": D("0.00"), "pieces": pieces, "time": time, "complete": None if back else time, "team": "store"})
delimited("store_pos.txt", HEADER, rows, "gb18030", delimiter="|")
expect("store_pos.txt", "store_pos", "orders", 50, 0, ORDERS.format("store", "S001-"), orders_by_status(truth))

# Shengyi Canmou: products, and what they did with new customers, by day.
HEADER = "统计日期,商品id,商品名称,货号,商品状态,商品标签,商品访客数,商品浏览量,平均停留时长,商品详情页跳出率,商品收藏人数,商品加购件数,商品加购人数,下单买家数,下单件数,下单金额,下单转化率,支付买家数,支付件数,支付金额,商品支付转化率,支付新买家数,支付老买家数,老买家支付金额,聚划算支付金额,访客平均价值,成功退款金额,竞争力评分,年累计支付金额,月累计支付金额,月累计支付件数,搜索引导支付转化率,搜索引导访客数,搜索引导支付买家数".split(",")
rows, paid, seen = [], D(0), 0
for nth in range(20):
    amount, visitors = money(100, 90000), R.randint(200, 9000)
    row = {"统计日期": f"2026-06-{nth % 10 + 1:02d}", "商品id": f'="68{nth // 10:010d}"', "商品名称": f"精华液 第{nth // 10}号", "货号": f"SKU-{nth // 10}", "商品状态": "当前在线", "商品访客数": f"{visitors:,}", "商品浏览量": f"{visitors * 3:,}", "平均停留时长": "21.50", "下单转化率": "3.10%", "支付买家数": nth, "支付金额": grouped(amount), "支付新买家数": nth // 2, "搜索引导访客数": visitors // 3}
    rows.append([row.get(name, "-") for name in HEADER])
    paid, seen = paid + amount, seen + visitors
delimited("taobao_products.csv", HEADER, rows, "gb18030")
expect("taobao_products.csv", "taobao_products", "product_days", 20, 0, "SELECT count(*), count(DISTINCT product_id), sum(visitors), sum(views), sum(sold_amount), sum(buyers), CAST(max(stat_date) AS TEXT), min(team), count(cart_items), min(extras ->> '下单转化率') FROM product_days", [[20, 2, seen, seen * 3, paid, 190, "2026-06-10", "tmall", 0, "3.10%"]])
HEADER = "统计日期,商品名称,商品id,新客拉新费率,商品新访客数,新客支付人数,新客支付人数占比,新客支付金额,新客支付金额占比".split(",")
rows, paid = [], D(0)
for nth in range(15):
    amount = money(10, 5000)
    rows.append([f"2026-06-{nth + 1:02d}", "精华液 第0号", '="680000000000"', "5.00%", f"{nth * 1000:,}", nth, "12.50%", grouped(amount), "-" if nth % 5 == 4 else "7.25%"])
    paid += amount
delimited("taobao_newcomers.csv", HEADER, rows, "gb18030")
expect("taobao_newcomers.csv", "taobao_newcomers", "product_newcomers", 15, 0, "SELECT count(*), sum(visitors_new), sum(buyers_new), sum(sold_amount), min(buyers_new_share), count(sold_amount_share), max(fee_share) FROM product_newcomers", [[15, 105000, 105, paid, "0.125", 12, "0.05"]])

with open("expected.json", "w") as file:
    json.dump(EXPECTED, file, ensure_ascii=False, indent=1)
    file.write("\n")
