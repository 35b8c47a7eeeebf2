// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// lifetime is that of the certificate that clients trust.
const lifetime = 30 * 24 * time.Hour

// certificates are those of a simulator: one that clients trust, and others on request.
// Their keys never leave the process.
type certificates struct {
	address net.Addr
	pair    tls.Certificate
	root    *x509.Certificate
	trusted []byte // PEM
}

// newCertificates makes a certificate for an address and loopback, good for 30 days, and
// the PEM that a client trusts it by.
func newCertificates(address net.Addr, now time.Time) (*certificates, error) {
	c := &certificates{address: address}
	template := c.template(now, now.Add(lifetime))
	var err error
	if c.pair, err = signed(template, nil, nil); err != nil {
		return nil, err
	}
	if c.root, err = x509.ParseCertificate(c.pair.Certificate[0]); err != nil {
		return nil, err
	}
	c.trusted = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.pair.Certificate[0]})
	return c, nil
}

// of returns the certificate of a fault.
func (c *certificates) of(kind string, now time.Time) (*tls.Certificate, error) {
	template := c.template(now, now.Add(lifetime))
	signer, root := c.pair.PrivateKey.(*ecdsa.PrivateKey), c.root
	switch kind {
	case fault.ExpiredCertificate:
		template.NotBefore, template.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	case fault.ExpiringCertificate:
		template.NotAfter = now.Add(3 * 24 * time.Hour)
	case fault.OtherHostCertificate:
		template.DNSNames, template.IPAddresses = []string{"other.example.com"}, nil
	case fault.UntrustedCertificate:
		signer, root = nil, nil
	default:
		return &c.pair, nil
	}
	pair, err := signed(template, root, signer)
	return &pair, err
}

func (c *certificates) template(from, to time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(from.UnixNano()),
		Subject:               pkix.Name{CommonName: "ccaassim"},
		NotBefore:             from.Add(-time.Hour),
		NotAfter:              to,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if tcp, ok := c.address.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		template.IPAddresses = append(template.IPAddresses, tcp.IP)
	}
	return template
}

// signed makes a certificate with a new key; without a root it is signed by itself.
func signed(template, root *x509.Certificate, signer *ecdsa.PrivateKey) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	if root == nil {
		root, signer = template, key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}, nil
}
