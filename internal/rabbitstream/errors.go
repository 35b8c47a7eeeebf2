// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// Code is a response code of the protocol other than OK. It is an error.
type Code uint16

// Codes that callers distinguish.
const (
	ok                 Code = 1
	NoSuchStream       Code = 2
	StreamExists       Code = 5
	StreamNotAvailable Code = 6
	BadCredentials     Code = 8
	NotFromLoopback    Code = 11
	NoVirtualHost      Code = 12
	AccessRefused      Code = 16
	PreconditionFailed Code = 17
	NoOffset           Code = 19
)

var meanings = map[Code]string{
	NoSuchStream:       "the stream does not exist",
	StreamExists:       "the stream exists",
	StreamNotAvailable: "the stream is not available; check that a majority of its replicas runs",
	7:                  "the server does not offer the PLAIN mechanism",
	BadCredentials:     "username or password is wrong",
	NotFromLoopback:    "the user guest may connect from the server's own host only; create another user",
	NoVirtualHost:      "the virtual host does not exist, or the user has no permission in it",
	14:                 "the frame is too large",
	15:                 "internal error of the server; see its log",
	AccessRefused:      "the user has no permission; grant it with rabbitmqctl set_permissions",
	PreconditionFailed: "the stream exists with other arguments, an argument is not supported, or an alarm of the broker allows no new stream (rabbitmq-diagnostics alarms)",
	NoOffset:           "no offset is stored",
}

// Error implements error.
func (c Code) Error() string {
	if meaning, known := meanings[c]; known {
		return meaning
	}
	return fmt.Sprintf("response code %d", uint16(c))
}

// tlsAction is what to do about an error of a TLS handshake.
func tlsAction(err error) string {
	if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused {
		return "Set tls::ca_file to the authority that has signed the certificate of the broker, and connect to a host that it names"
	}
	return "Check that the port is that of TLS, 5551"
}

func (c Code) err() error {
	if c == ok {
		return nil
	}
	return c
}
