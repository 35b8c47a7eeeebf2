// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promalert

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTraceURL_Validate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "",
		"https://tempo.example.com/trace/{{trace_id}}":       "",
		"http://localhost:3000/explore?left={{trace_id}}":    "",
		"https://tempo.example.com/trace/":                   "has no {{trace_id}}",
		"tempo.example.com/{{trace_id}}":                     "is not an http or https URL",
		"javascript:alert('{{trace_id}}')":                   "is not an http or https URL",
		"https://user:secret@tempo.example.com/{{trace_id}}": "has a user name",
	} {
		err := TraceURL(text).Validate()
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestTraces_OnlyTraceIDs(t *testing.T) {
	t.Parallel()
	const id = "5b8a1c0e9d3f4a62b7c81d2e3f405162"
	assert.Equal(t, []string{id}, Traces(map[string]any{"traces": []any{id, "<script>", int64(7), nil}}))
	assert.Len(t, Traces(map[string]any{"traces": []any{id, id, id, id, id, id, id}}), 5)
	assert.Empty(t, Traces(map[string]any{"traces": id}))
}
