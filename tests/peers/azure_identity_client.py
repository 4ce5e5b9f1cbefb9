"""Gets a token by azure-identity, Microsoft's own client, and prints it: the reference for our own requests.

    python azure_identity_client.py WAY AUDIENCE

WAY is secret, federated or managed; the rest comes by the variables that azure-identity itself reads, and by
CLIENT_SECRET and AUTHORITY.
"""

import os
import sys

from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential


def credential(way):
    if way == "managed":
        client = os.environ.get("ASSIGNED_CLIENT_ID")
        return ManagedIdentityCredential(client_id=client) if client else ManagedIdentityCredential()
    settings = {"authority": os.environ["AUTHORITY"], "disable_instance_discovery": True}
    if way == "federated":
        return WorkloadIdentityCredential(**settings)
    tenant, client = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"]
    return ClientSecretCredential(tenant, client, os.environ["CLIENT_SECRET"], **settings)


def main():
    way, audience = sys.argv[1:]
    print(credential(way).get_token(f"{audience}/.default").token)


if __name__ == "__main__":
    main()
