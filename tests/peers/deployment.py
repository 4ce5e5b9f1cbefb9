"""Looks at the files that containers and clusters are described by: the Dockerfile by hadolint, compose files by the Compose
Specification, manifests by the schemas of Kubernetes, and every other YAML by parsing it. Prints a line for each file.

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


def template(file):
    """Every name that a CloudFormation template refers to is in it."""
    document = yaml.safe_load(file.read_text())
    known = set(document["Resources"]) | set(document["Parameters"])
    pseudo = {"AWS::Region", "AWS::AccountId"}
    missing = {name for name in references(document) if name not in known | pseudo}
    if missing:
        raise ValueError(f"it refers to what is not there: {', '.join(sorted(missing))}")
    return f"a template of CloudFormation with {len(document['Resources'])} resources"


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "DependsOn" and isinstance(value, str):
                yield value
            elif key == "Fn::Sub":
                yield from (part.split("}")[0] for part in value.split("${")[1:])
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def dockerfile(file):
    # Versions of Debian's and Alpine's packages come with the tag of their image.
    ignored = ["--ignore=DL3008", "--ignore=DL3018"]
    hadolint = pathlib.Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", *ignored, file], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stdout + done.stderr)
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
