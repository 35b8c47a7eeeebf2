// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// maxTokenSize bounds the response of a token endpoint, as package oauth2 does, in bytes.
const maxTokenSize = 1 << 20

// expiresInTransport rewrites expires_in in the JSON of token endpoints to the integer
// seconds that package oauth2 reads. It accepts numbers and strings, with decimals or
// without. A value that is null, not positive or not a number is removed.
type expiresInTransport struct{ next http.RoundTripper }

func (l *expiresInTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenSize))
	err = errors.Join(err, response.Body.Close())
	if err != nil {
		return nil, err
	}
	body = wholeSeconds(body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	return response, nil
}

// wholeSeconds rewrites the response of a token endpoint. A body that is not a JSON
// object with expires_in is unchanged.
func wholeSeconds(body []byte) []byte {
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil || answer["expires_in"] == nil {
		return body
	}
	if seconds := lifetime(answer["expires_in"]); seconds > 0 {
		answer["expires_in"] = strconv.AppendInt(nil, seconds, 10)
	} else {
		delete(answer, "expires_in")
	}
	rewritten, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return rewritten
}

// lifetime reads a life in seconds, rounded down; 0: unknown.
func lifetime(value json.RawMessage) int64 {
	text := string(value)
	if json.Unmarshal(value, &text) == nil {
		text = strings.TrimSpace(text)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return 0
	}
	return int64(min(seconds, math.MaxInt32))
}
