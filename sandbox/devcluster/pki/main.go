// Command pki writes the keys and certificates of one throw-away loopback cluster into a directory.
//
// It is a Go program because the Go toolchain is there anyway where the cluster is built, while
// neither openssl nor a Python package for certificates can be taken for granted. The supervisor of
// devcluster calls it once for each start; nothing it writes outlives that cluster.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pki DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pki:", err)
		os.Exit(1)
	}
}

// write makes everything the five parts of the cluster need to trust each other and nobody else.
func write(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	cluster, err := newAuthority(directory, "ca", "devcluster-ca")
	if err != nil {
		return err
	}
	for _, leaf := range clusterLeaves {
		if err := cluster.issue(directory, leaf); err != nil {
			return fmt.Errorf("%s: %w", leaf.file, err)
		}
	}
	// An authority of its own: whoever holds a certificate of this one may name any user in request
	// headers, so a client certificate of the cluster authority must never pass for one.
	proxy, err := newAuthority(directory, "front-proxy-ca", "devcluster-front-proxy-ca")
	if err != nil {
		return err
	}
	if err := proxy.issue(directory, leaf{file: "front-proxy-client", commonName: "front-proxy-client"}); err != nil {
		return fmt.Errorf("front-proxy-client: %w", err)
	}
	return writeSigningKey(directory, "service-account")
}
