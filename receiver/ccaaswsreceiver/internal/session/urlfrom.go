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
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
)

// URLFrom is the way to a socket whose address stands in the JSON answer to an
// HTTP request.
type URLFrom struct {
	Client  *http.Client
	Method  string
	URL     *url.URL
	Headers map[string]string // may name {{token}}
	Body    string            // too; empty: none
	Path    string            // of the address in the answer
	Expires string            // of the time at which it expires; empty: it does not say
	Upgrade map[string]string // headers of the upgrade; may name {{token}}
	// Check refuses addresses that may not be dialled, and spells this machine in one way.
	Check func(*url.URL) error
}

// Prepare asks for the address.
func (u *URLFrom) Prepare(ctx context.Context, access Access, _ bool) (*Route, *Failure) {
	call := &Call{What: "session.url_from", Method: u.Method, URL: u.URL, Header: headersOf(u.Headers, access), Token: access.Token}
	if u.Body != "" {
		call.Body = []byte(filler(access, nil).Replace(u.Body))
	}
	body, failure := Do(ctx, u.Client, call)
	if failure != nil {
		return nil, failure
	}
	text, err := textAt(body, u.Path)
	if err != nil {
		return nil, lasting(BadAnswer, fmt.Errorf("%s: %w; check session.url_from.path", call.name(), err))
	}
	route := &Route{Header: headersOf(u.Upgrade, access), Private: true}
	if route.Socket, err = SocketURL(text, u.Check); err != nil {
		return nil, lasting(BadAnswer, fmt.Errorf("%s: what stands at %s: %w", call.name(), u.Path, err))
	}
	if u.Expires != "" {
		if route.Expires, err = timeAt(body, u.Expires); err != nil {
			return nil, lasting(BadAnswer, fmt.Errorf("%s: %w; check session.url_from.expires", call.name(), err))
		}
	}
	return route, nil
}

// SocketURL reads the address of a socket that a platform has answered with.
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

// timeAt reads the time at a path of a JSON document.
func timeAt(document []byte, path string) (time.Time, error) {
	text, err := textAt(document, path)
	if err != nil {
		return time.Time{}, err
	}
	nanoseconds, err := frame.ParseTimestamp([]byte(text))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	return time.Unix(0, nanoseconds), nil
}

// textAt reads the string or number at a path of a JSON document.
func textAt(document []byte, path string) (string, error) {
	value := json.RawMessage(document)
	for step := range strings.SplitSeq(strings.ReplaceAll(path, "[", ".["), ".") {
		if step == "" {
			continue
		}
		if digits, isIndex := strings.CutPrefix(step, "["); isIndex {
			index, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
			var list []json.RawMessage
			if err != nil || json.Unmarshal(value, &list) != nil || index < 0 || index >= len(list) {
				return "", fmt.Errorf("nothing stands at %q of the answer", path)
			}
			value = list[index]
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil || object[step] == nil {
			return "", fmt.Errorf("nothing stands at %q of the answer", path)
		}
		value = object[step]
	}
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return text, nil
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil && number != "" {
		return number.String(), nil
	}
	return "", fmt.Errorf("what stands at %q of the answer is neither text nor a number", path)
}
