// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// A conversation that is open, and has no details yet, is open and not listed. One that was
// not asked for is none of the answer's.
func TestGenesysHistory_PresentWithoutDetails(t *testing.T) {
	t.Parallel()
	const (
		activity = `{"results":[{"entities":[{"conversationId":"a"},{"conversationId":"b"}]}]}`
		first    = `{"conversationId":"a","participants":[{"participantId":"p","sessions":[{"sessionId":"a1","mediaType":"chat","segments":[{"segmentStart":"2026-11-01T10:00:00.000Z","segmentType":"interact"}]}]}]}`
		other    = `{"conversationId":"x","participants":[{"participantId":"q","sessions":[{"sessionId":"x1","mediaType":"chat","segments":[{"segmentStart":"2026-11-01T10:00:00.000Z","segmentType":"interact"}]}]}]}`
		second   = `{"conversationId":"b"}`
	)
	for name, test := range map[string]struct {
		details  string
		channels []string
		unlisted int64
	}{
		"all":            {`{"conversations":[` + first + `,` + second + `]}`, []string{"a1"}, 0},
		"one is missing": {`{"conversations":[` + first + `]}`, []string{"a1"}, 1},
		"none":           {`{}`, nil, 2},
		"another":        {`{"conversations":[` + other + `]}`, nil, 2},
		"more than once": {`{"conversations":[` + first + `,` + first + `,` + first + `]}`, []string{"a1", "a1", "a1"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &genesysHistory{
				root:   &url.URL{Scheme: "https", Host: "api.example.com"},
				topics: func() []string { return []string{"v2.routing.queues.q.conversations"} },
			}
			ask := func(_ context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure) {
				if strings.HasSuffix(call.URL.String(), activityPath+"?"+call.URL.RawQuery) {
					return []byte(activity), nil
				}
				return []byte(test.details), nil
			}
			var channels []string
			unlisted, failure := g.present(t.Context(), ask, func(take func(history.Match, func(*reconcile.Session))) {
				take(func(string, string, string, string) (string, bool) { return "", false },
					func(s *reconcile.Session) { channels = append(channels, s.Channel) })
			})
			require.Nil(t, failure)
			assert.Equal(t, test.channels, channels)
			assert.Equal(t, test.unlisted, unlisted)
		})
	}
}
