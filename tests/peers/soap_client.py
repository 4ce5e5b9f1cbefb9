"""The reference client zeep, asked by lines of JSON: what it would send, and whether another envelope says the same."""

import json
import sys

from lxml import etree
from zeep import Client, Settings
from zeep.transports import Transport

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
CLIENTS = {}


def client(wsdl):
    if wsdl not in CLIENTS:
        CLIENTS[wsdl] = Client(wsdl, transport=Transport(timeout=20), settings=Settings(xsd_ignore_sequence_order=False))
    return CLIENTS[wsdl]


def plain(element):
    """An element without its prefixes: name, attributes, and its text or its elements."""
    attributes = {}
    for name, value in element.attrib.items():
        if name == XSI + "type" and ":" in value:
            prefix, local = value.split(":", 1)
            value = f"{{{element.nsmap[prefix]}}}{local}"
        attributes[name] = value
    elements = [child for child in element if isinstance(child.tag, str)]
    content = [plain(child) for child in elements] if elements else (element.text or "")
    return [element.tag, attributes, content]


def body(envelope):
    found = [child for child in envelope if etree.QName(child).localname == "Body"]
    return plain(found[0])


def compare(wsdl, operation, arguments, envelope):
    """Zeep's body for some arguments, and that of another envelope, in a form without prefixes."""
    service = client(wsdl)
    message = service.create_message(service.service, operation, **typed(service, arguments))
    return {"zeep": body(message), "ours": body(etree.fromstring(envelope.encode()))}


def typed(service, value):
    """Arguments, with those that name a type made values of it."""
    if isinstance(value, dict):
        if "@type" in value:
            kind = service.get_type(value["@type"])
            return kind(**{name: typed(service, inner) for name, inner in value.items() if name != "@type"})
        return {name: typed(service, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [typed(service, inner) for inner in value]
    return value


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": {"compare": compare}[request["command"]](**request["arguments"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
