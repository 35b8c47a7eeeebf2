// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplate_UnknownFieldIsRefused(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"a": {{ toJSON .AlertId }}}`:                                `.AlertId: no such field; did you mean .AlertID?`,
		`{"a": {{ toJSON .tenant_id }}}`:                              `.tenant_id: no such field; the fields are .AlertID, `,
		`{{ if false }}{{ .Alert }}{{ end }}{}`:                       `.Alert: no such field`,
		`{{ if .Nope }}{}{{ end }}`:                                   `.Nope: no such field`,
		`{{ with .Body }}{{ .x }}{{ $.Evnt }}{{ end }}{}`:             `.Evnt: no such field`,
		`{{ with .Body }}{}{{ else }}{{ .Bdy }}{{ end }}`:             `.Bdy: no such field`,
		`{{ range .Attribs }}{{ end }}{}`:                             `.Attribs: no such field`,
		`{"a": {{ toJSON (printf "%v" (choose .Sev "a" "b" "c")) }}}`: `.Sev: no such field`,
		`{{ (index .Resorce "a") }}`:                                  `.Resorce: no such field`,
	} {
		_, err := NewTemplate(TemplateConfig{Body: body})
		require.ErrorContains(t, err, says, body)
	}
}

func TestTemplate_KnownFieldsAreAccepted(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{{ toJSON .Body.anything }}`, `{{ .ID }}{{ .AlertID }}{{ .Event }}{{ .Severity }}{{ .Time.UTC }}{{ .Now }}{{ .Summary }}{{ .Variables.x }}{{ .Attributes }}{{ .Resource }}`,
		`{{ with .Body }}{{ .anything }}{{ end }}`, `{{ range $key, $value := .Body }}{{ $key }}{{ $value.x }}{{ $.ID }}{{ end }}`,
		`{{ define "part" }}{{ .whatever }}{{ end }}{{ template "part" .Body }}`,
	} {
		_, err := NewTemplate(TemplateConfig{Body: body})
		assert.NoError(t, err, body)
	}
}

func TestTemplate_BodyKeys(t *testing.T) {
	t.Parallel()
	made, err := NewTemplate(TemplateConfig{Body: `{{ toJSON .Body.value }}{{ .Body }}{{ with .Body.labels.queue }}{{ .Body.no }}{{ $.Body.alertId }}{{ end }}` +
		`{{ if eq .Event "x" }}{{ slack .Body.value }}{{ end }}{{ with .Body }}{{ .unknown }}{{ end }}{{ define "part" }}{{ .Body.no }}{{ end }}`})
	require.NoError(t, err)
	assert.Equal(t, []string{"alertId", "labels", "value"}, made.BodyKeys())
}
