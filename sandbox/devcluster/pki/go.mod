module countersign.dev/devcluster/pki

go 1.26.0
