package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// writeSigningKey makes the pair that signs and checks service-account tokens: file.key and file.pub.
func writeSigningKey(directory, file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(directory, file+".pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(directory, file, key)
}

func writeCertificate(directory, file string, der []byte) error {
	return writePEM(directory, file+".crt", "CERTIFICATE", der)
}

func writeKey(directory, file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(directory, file+".key", "PRIVATE KEY", der)
}

// writePEM refuses to follow or overwrite what already has that name.
func writePEM(directory, file, kind string, der []byte) error {
	out, err := os.OpenFile(filepath.Join(directory, file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := pem.Encode(out, &pem.Block{Type: kind, Bytes: der}); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
