package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"time"
)

const (
	// A cluster that `make cluster` started may run for months; its certificates are not renewed.
	lifetime = 365 * 24 * time.Hour
	// Clocks of a suspended laptop or a fresh virtual machine may be set back a little after the start.
	backdate = time.Hour
)

// leaf describes one certificate that the cluster authority signs.
type leaf struct {
	file         string
	commonName   string // the Kubernetes user name, for a client
	organization string // the Kubernetes group, for a client
	server       bool
}

var clusterLeaves = []leaf{
	{file: "serving", commonName: "devcluster", server: true},
	{file: "etcd-client", commonName: "etcd-client"},
	{file: "kubelet-client", commonName: "kube-apiserver-kubelet-client"},
	{file: "admin", commonName: "devcluster-admin", organization: "system:masters"},
	{file: "controller-manager", commonName: "system:kube-controller-manager"},
	{file: "scheduler", commonName: "system:kube-scheduler"},
	// One client plays every node, so it cannot hold the identity of one node.
	{file: "kwok", commonName: "devcluster-kwok", organization: "system:masters"},
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(directory, file, commonName string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: commonName})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	// The key stays in this process: nothing is signed once the cluster stands.
	return &authority{certificate: certificate, key: key}, writeCertificate(directory, file, der)
}

func (a *authority) issue(directory string, leaf leaf) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	name := pkix.Name{CommonName: leaf.commonName}
	if leaf.organization != "" {
		name.Organization = []string{leaf.organization}
	}
	template, err := newTemplate(name)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if leaf.server {
		// etcd calls itself with its serving certificate, so that one must do for a client too.
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writeCertificate(directory, leaf.file, der); err != nil {
		return err
	}
	return writeKey(directory, leaf.file, key)
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(lifetime),
	}, nil
}
