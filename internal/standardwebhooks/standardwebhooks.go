// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package standardwebhooks signs requests as Standard Webhooks specifies. Its library accepts
// any key, an empty one included; this package accepts those that the specification permits.
package standardwebhooks

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/collector/config/configopaque"
)

const (
	prefix = "whsec_"

	// Example is a command that prints a secret.
	Example = "echo " + prefix + "$(openssl rand -base64 32)"
)

// New returns the library's webhook for a secret: whsec_ and a key of 24 to 64 bytes in
// base64. Its errors do not contain the secret.
func New(secret string) (*webhooks.Webhook, error) {
	encoded, ok := strings.CutPrefix(secret, prefix)
	if !ok {
		return nil, errors.New("must begin with " + prefix + ", as in: " + Example)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return nil, errors.New("must be " + prefix + " and base64 with its padding, as in: " + Example)
	case len(key) < 24 || len(key) > 64:
		return nil, fmt.Errorf("is a key of %d bytes: must be 24 to 64 (Standard Webhooks), as in: %s", len(key), Example)
	}
	return webhooks.NewWebhookRaw(key)
}

// Signer signs with each secret of a configuration. One without secrets identifies requests
// and does not sign them.
type Signer []*webhooks.Webhook

// NewSigner returns the signer of the settings secret, which may be empty, and secrets. Its
// errors name the setting.
func NewSigner(secret configopaque.String, secrets []configopaque.String) (Signer, error) {
	var s Signer
	add := func(key string, secret configopaque.String) error {
		webhook, err := New(string(secret))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s = append(s, webhook)
		return nil
	}
	if secret != "" {
		if err := add("secret", secret); err != nil {
			return nil, err
		}
	}
	for i, secret := range secrets {
		if err := add(fmt.Sprintf("secrets[%d]", i), secret); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Sign writes the headers of a request: the message's id, the time of the attempt, and a
// signature for each secret.
func (s Signer) Sign(header http.Header, id string, now time.Time, body []byte) error {
	header.Set(webhooks.HeaderWebhookID, id)
	header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if len(s) == 0 {
		return nil
	}
	signatures := make([]string, len(s))
	for i, webhook := range s {
		var err error
		if signatures[i], err = webhook.Sign(id, now, body); err != nil {
			return fmt.Errorf("cannot be signed: %w", err)
		}
	}
	header.Set(webhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
