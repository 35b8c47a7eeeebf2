// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// maxPreflightSize bounds the answer to the pre-flight.
const maxPreflightSize = 64 << 10

// preflight asks the platform what it speaks, and fails unless the subprotocol is
// among it.
func (s *Session) preflight(ctx context.Context, token string) *Failure {
	what := "pre-flight GET " + address(s.settings.Preflight)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.settings.Preflight.String(), http.NoBody)
	if err != nil {
		return lasting(Refused, fmt.Errorf("%s: %w", what, err))
	}
	request.Header.Set("Accept", "application/json")
	authorize(request.Header, token)

	response, err := s.settings.Client.Do(request)
	if err != nil {
		return unanswered(what, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return answered(what, response, time.Now())
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPreflightSize))
	if err != nil {
		return unanswered(what, err)
	}
	protocols, err := supportedProtocols(body)
	if err != nil {
		return lasting(BadAnswer, fmt.Errorf("%s: %w; check preflight.path, or set preflight.enabled: false", what, err))
	}
	asked := s.settings.Subprotocol
	if asked != "" && !slices.Contains(protocols, asked) {
		return lasting(Subprotocol, fmt.Errorf("%s: no common protocol: the platform speaks %s, we ask for %q; check platform, or set subprotocol",
			what, shown(protocols), asked))
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

func authorize(header http.Header, token string) {
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
}
