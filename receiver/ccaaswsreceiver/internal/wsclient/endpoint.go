// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonvalue"
)

// StaticEndpoint is a socket at a configured address, with the token in the upgrade.
// A pre-flight request may select the subprotocol first.
type StaticEndpoint struct {
	Client       *http.Client
	Preflight    *url.URL // nil: no pre-flight request
	Socket       *url.URL
	Headers      map[string]string // of the upgrade; may name {{token}}
	Private      bool              // the path of Socket may hold a secret
	Subprotocols []string          // the preferred first; empty: the response may have any
	Advice       string            // see Route
}

// Prepare sends the pre-flight request, and fails unless the platform supports one of the
// subprotocols.
func (d *StaticEndpoint) Prepare(ctx context.Context, access Access, _ bool) (*Route, *Failure) {
	route := &Route{Socket: d.Socket, Header: headersOf(d.Headers, access), Private: d.Private, Advice: d.Advice}
	authorize(route.Header, access.Token)
	if d.Preflight == nil {
		return route, nil
	}
	var failure *Failure
	route.Subprotocol, failure = d.preflight(ctx, access.Token)
	if failure != nil {
		return nil, failure
	}
	return route, nil
}

// preflight returns the first subprotocol that the platform supports.
func (d *StaticEndpoint) preflight(ctx context.Context, token string) (string, *Failure) {
	call := &Call{What: "pre-flight", Method: http.MethodGet, URL: d.Preflight, Token: token}
	body, failure := Do(ctx, d.Client, call)
	if failure != nil {
		return "", failure
	}
	protocols, err := supportedProtocols(body)
	if err != nil {
		return "", permanent(BadAnswer, fmt.Errorf("%s: %w; check preflight::path, or set preflight::enabled: false", call.name(), err))
	}
	if len(d.Subprotocols) == 0 {
		return "", nil
	}
	for _, protocol := range d.Subprotocols {
		if slices.Contains(protocols, protocol) {
			return protocol, nil
		}
	}
	return "", permanent(Subprotocol, fmt.Errorf("%s: no common protocol: the platform supports %s, the receiver %s; check platform, or set subprotocol or subprotocols",
		call.name(), protocolList(protocols), protocolList(d.Subprotocols)))
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

// protocolList formats protocols for a message.
func protocolList(protocols []string) string {
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

// DiscoveredEndpoint is a socket whose address is in the JSON response to an HTTP
// request.
type DiscoveredEndpoint struct {
	Client  *http.Client
	Method  string
	URL     *url.URL
	Headers map[string]string // may name {{token}}
	Body    string            // too; empty: none
	Path    string            // of the address in the response
	Expires string            // path of the time of its expiry; empty: none
	Upgrade map[string]string // headers of the upgrade; may name {{token}}
	// Check rejects addresses that may not get credentials, and normalizes the host.
	Check func(*url.URL) error
}

// Prepare requests the address.
func (u *DiscoveredEndpoint) Prepare(ctx context.Context, access Access, _ bool) (*Route, *Failure) {
	call := &Call{What: "session::url_from", Method: u.Method, URL: u.URL, Header: headersOf(u.Headers, access), Token: access.Token}
	if u.Body != "" {
		call.Body = []byte(filler(access, nil).Replace(u.Body))
	}
	body, failure := Do(ctx, u.Client, call)
	if failure != nil {
		return nil, failure
	}
	text, err := textAt(body, u.Path)
	if err != nil {
		return nil, permanent(BadAnswer, fmt.Errorf("%s: %w; check session::url_from::path", call.name(), err))
	}
	route := &Route{Header: headersOf(u.Upgrade, access), Private: true}
	if route.Socket, err = SocketURL(text, u.Check); err != nil {
		return nil, permanent(BadAnswer, fmt.Errorf("%s: the value at %s: %w", call.name(), u.Path, err))
	}
	if u.Expires != "" {
		if route.Expires, err = timeAt(body, u.Expires); err != nil {
			return nil, permanent(BadAnswer, fmt.Errorf("%s: %w; check session::url_from::expires", call.name(), err))
		}
	}
	return route, nil
}

// SocketURL parses the address of a socket in a response. Check may be nil.
func SocketURL(text string, check func(*url.URL) error) (*url.URL, error) {
	at, err := url.Parse(text)
	if err != nil || at.Host == "" {
		return nil, errors.New("no address of a socket") // which may hold a secret
	}
	switch at.Scheme {
	case "https":
		at.Scheme = "wss"
	case "http":
		at.Scheme = "ws"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("scheme %.32q: must be wss", at.Scheme)
	}
	if check != nil {
		if err := check(at); err != nil {
			return nil, err
		}
	}
	return at, nil
}

func headersOf(set map[string]string, access Access) http.Header {
	header := http.Header{}
	for name, value := range set {
		header.Set(name, strings.ReplaceAll(value, "{{token}}", access.Token))
	}
	return header
}

// timeAt returns the time at a path of a JSON document.
func timeAt(document []byte, path string) (time.Time, error) {
	text, err := textAt(document, path)
	if err != nil {
		return time.Time{}, err
	}
	nanoseconds, err := jsonevent.ParseTimestamp([]byte(text))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	return time.Unix(0, nanoseconds), nil
}

// textAt returns the string or number at a path of a JSON document.
func textAt(document []byte, path string) (string, error) {
	value, ok := jsonvalue.At(document, path)
	if !ok {
		return "", fmt.Errorf("the response has no value at %q", path)
	}
	if text := jsonvalue.Text(value); text != "" {
		return text, nil
	}
	return "", fmt.Errorf("the value at %q of the response is neither text nor a number", path)
}
