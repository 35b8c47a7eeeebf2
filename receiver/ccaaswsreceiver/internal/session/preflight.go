// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Direct is the way to a socket at a known address, with the token in the
// upgrade. Before it the platform may be asked what it speaks.
type Direct struct {
	Client      *http.Client
	Preflight   *url.URL // nil: it is not asked
	Socket      *url.URL
	Headers     map[string]string // of the upgrade; may name {{token}}
	Private     bool              // the path of Socket may hold a secret
	Subprotocol string
}

// Prepare asks the platform what it speaks, and fails unless the subprotocol is
// among it.
func (d *Direct) Prepare(ctx context.Context, access Access, _ bool) (*Route, *Failure) {
	if d.Preflight != nil {
		if failure := d.preflight(ctx, access.Token); failure != nil {
			return nil, failure
		}
	}
	header := headersOf(d.Headers, access)
	authorize(header, access.Token)
	return &Route{Socket: d.Socket, Header: header, Private: d.Private}, nil
}

func (d *Direct) preflight(ctx context.Context, token string) *Failure {
	call := &Call{What: "pre-flight", Method: http.MethodGet, URL: d.Preflight, Token: token}
	body, failure := Do(ctx, d.Client, call)
	if failure != nil {
		return failure
	}
	protocols, err := supportedProtocols(body)
	if err != nil {
		return lasting(BadAnswer, fmt.Errorf("%s: %w; check preflight.path, or set preflight.enabled: false", call.name(), err))
	}
	if d.Subprotocol != "" && !slices.Contains(protocols, d.Subprotocol) {
		return lasting(Subprotocol, fmt.Errorf("%s: no common protocol: the platform speaks %s, we ask for %q; check platform, or set subprotocol",
			call.name(), shown(protocols), d.Subprotocol))
	}
	return nil
}

// supportedProtocols reads {"supportedProtocols":[…]}, or the bare list.
func supportedProtocols(body []byte) ([]string, error) {
	var list []string
	if json.Unmarshal(body, &list) == nil {
		return list, nil
	}
	var object struct {
		SupportedProtocols *[]string `json:"supportedProtocols"`
	}
	if json.Unmarshal(body, &object) != nil || object.SupportedProtocols == nil {
		return nil, errors.New(`the answer is neither {"supportedProtocols":[…]} nor a list of protocols`)
	}
	return *object.SupportedProtocols, nil
}

// shown is a list of protocols as it goes into a message.
func shown(protocols []string) string {
	const most, longest = 8, 64
	text := "nothing"
	for i, protocol := range protocols {
		switch {
		case i == 0:
			text = fmt.Sprintf("%.*q", longest, protocol)
		case i < most:
			text += fmt.Sprintf(", %.*q", longest, protocol)
		default:
			return text + ", …"
		}
	}
	return text
}
