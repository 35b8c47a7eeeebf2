// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// target is where POSTs go. Its errors do not repeat the path, which often holds
// a secret.
func (c *Config) target() (*url.URL, error) {
	address, err := url.Parse(c.ClientConfig.Endpoint)
	switch {
	case c.ClientConfig.Endpoint == "":
		return nil, errors.New("missing; give the receiver's URL, such as https://alerts.example.com/hook")
	case err != nil || address.Hostname() == "":
		return nil, errors.New("not a URL; give one such as https://alerts.example.com/hook")
	case address.User != nil:
		return nil, errors.New("has a user name; credentials go into auth or headers")
	case address.Fragment != "":
		return nil, errors.New("has a fragment (#…), which is never sent")
	}
	switch address.Scheme {
	case "https":
	case "http":
		if !loopback(address.Hostname()) && !c.ClientConfig.TLS.Insecure {
			return nil, fmt.Errorf("http://%s: would send alerts in the clear; use https, or say tls.insecure: true", address.Host)
		}
	default:
		return nil, fmt.Errorf("%s://%s: must be https or http", address.Scheme, address.Host)
	}
	if c.Format == formatAlertmanager && !strings.HasSuffix(address.Path, payload.AlertmanagerPath) {
		address = address.JoinPath(payload.AlertmanagerPath)
	}
	return address, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// signers makes the signatures, one for each secret.
func (c *Config) signers() (signers []*webhooks.Webhook, err error) {
	keys, secrets := c.secrets()
	for i, secret := range secrets {
		if err = checkSecret(string(secret)); err != nil {
			return nil, fmt.Errorf("%s: %w", keys[i], err)
		}
		signer, err := webhooks.NewWebhook(string(secret))
		if err != nil {
			return nil, fmt.Errorf("%s: cannot be used to sign", keys[i])
		}
		signers = append(signers, signer)
	}
	return signers, nil
}

// format makes the payloads.
func (c *Config) format() (payload.Format, error) {
	if c.Format != formatTemplate && c.Template.Body != "" {
		return nil, fmt.Errorf("template.body: set, while format is %q; say format: %s", c.Format, formatTemplate)
	}
	switch c.Format {
	case formatNative:
		return payload.Native{}, nil
	case formatAlertmanager:
		return payload.Alertmanager{ExpireAfter: c.Alertmanager.ExpireAfter}, nil
	case formatTemplate:
		if c.Template.Body == "" {
			return nil, errors.New("template.body: missing, while format is template")
		}
		variables := map[string]string{}
		for name, value := range c.Template.Variables {
			variables[name] = string(value)
		}
		format, err := payload.NewTemplate(c.Template.Body, c.Template.ContentType, variables)
		if err != nil {
			return nil, fmt.Errorf("template.body: %w", err)
		}
		return format, nil
	default:
		return nil, fmt.Errorf("format: %q: must be %s, %s or %s", c.Format, formatNative, formatAlertmanager, formatTemplate)
	}
}
