"""Looks at the files that containers and clusters are described by: the Dockerfile by hadolint, compose files by the Compose
Specification, manifests by the schemas of Kubernetes, templates of CloudFormation by cfn-lint, and every other YAML by
parsing it. Prints a line for each file.

What it cannot prove: that an image builds, that a cluster accepts the manifests, that a cloud makes the stack.
"""

import pathlib
import subprocess
import sys

import compose_spec
import kubernetes_validate
import yaml

KUBERNETES = "1.33"


def manifests(file):
    documents = [document for document in yaml.safe_load_all(file.read_text()) if document]
    for document in documents:
        # A Kustomization is read by kubectl, and no resource of a cluster.
        if document["kind"] != "Kustomization":
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    return f"{len(documents)} manifest(s) of Kubernetes {KUBERNETES}"


def compose(file):
    project = compose_spec.PyCompose.from_yaml(file.read_text())
    project.validate()
    return f"a compose file with {', '.join(sorted(project.service_names()))}"


def tool(name, *arguments):
    program = pathlib.Path(sys.executable).parent / name
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stdout + done.stderr)


def template(file):
    """Types, properties and references, by the schemas of CloudFormation that cfn-lint brings with it."""
    tool("cfn-lint", "--regions", "eu-west-1", "--format", "parseable", "--template", file)
    return f"a template of CloudFormation with {len(yaml.safe_load(file.read_text())['Resources'])} resources"


def dockerfile(file):
    # Versions of Debian's and Alpine's packages come with the tag of their image.
    ignored = ["--ignore=DL3008", "--ignore=DL3018"]
    tool("hadolint", "--no-color", *ignored, file)
    return "a Dockerfile"


def check(file):
    if file.name == "Dockerfile":
        return dockerfile(file)
    text = file.read_text()
    if "\nkind:" in text and "apiVersion:" in text:
        return manifests(file)
    if "\nservices:" in text:
        return compose(file)
    if "AWSTemplateFormatVersion" in text:
        return template(file)
    yaml.safe_load(text)
    return "YAML"


def main():
    failed = False
    for name in sys.argv[1:]:
        try:
            print(f"{name}: {check(pathlib.Path(name))}")
        except Exception as error:  # noqa: BLE001 (each file's own trouble is told, whatever it is)
            failed = True
            print(f"{name}: FAILED: {error}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
