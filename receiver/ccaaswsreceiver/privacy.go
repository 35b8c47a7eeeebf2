// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/privacy"
)

// Values of raw.
const (
	rawFull     = "full"
	rawRedacted = "redacted"
	rawNone     = "none"
)

// Values of user_id.
const (
	userPlain = "plain"
	userHash  = "hash"
	userNone  = "none"
)

// shortestUserIDKey is in bytes. With a guessed key all user ids can be tried.
const shortestUserIDKey = 16

// resolveRaw sets raw from its alias, or the API's default.
func (c *Config) resolveRaw(conf *confmap.Conf, profile *api.Profile) error {
	old := conf.IsSet("include_raw")
	named := rawNone
	if c.IncludeRaw {
		named = rawFull
	}
	switch {
	case conf.IsSet("raw") && old && c.Raw != named:
		return fmt.Errorf("raw: %q: must be left out, or %q, with include_raw: %t, its alias", c.Raw, named, c.IncludeRaw)
	case conf.IsSet("raw"):
	case old:
		c.Raw = named
	case profile.RedactByDefault || c.UserID != userPlain:
		c.Raw = rawRedacted
	}
	return nil
}

func (c *Config) validatePrivacy() error {
	_, err := privacy.New(privacy.Settings{Redact: c.Redact})
	if err != nil {
		err = fmt.Errorf("redact: %w", err)
	}
	return errors.Join(err,
		api.Need(slices.Contains([]string{rawFull, rawRedacted, rawNone}, c.Raw), "raw", c.Raw, "full, redacted or none"),
		api.Need(len(c.Redact) == 0 || c.Raw != rawFull, "redact", c.Redact, "left out with raw: full, which redacts nothing"),
		api.Need(slices.Contains([]string{userPlain, userHash, userNone}, c.UserID), "user_id", c.UserID, "plain, hash or none"),
		api.Need(c.UserID != userHash || len(c.UserIDKey) >= shortestUserIDKey, "user_id_key", "…",
			fmt.Sprintf("at least %d bytes with user_id: hash", shortestUserIDKey)),
	)
}

// redactor returns that of an API. The fields that identify an event are not redacted,
// since they are attributes of its record.
func (c *Config) redactor(profile *api.Profile) (*privacy.Redactor, error) {
	fields, _ := c.mapping(profile)
	set := privacy.Settings{Redact: append(slices.Clone(c.Redact), c.text(profile)), Users: c.UserID != userPlain}
	set.Keep = []string{fields.Type, fields.ChannelID, fields.TenantID, fields.Region, fields.ChannelType, fields.ID}
	set.Numbers, set.Times = []string{fields.PayloadSize, fields.CloseCode}, []string{fields.Timestamp}
	set.Keep, set.Numbers = append(set.Keep, fields.Snake(set.Keep)...), append(set.Numbers, fields.Snake(set.Numbers)...)
	if set.Users {
		set.Redact = append(set.Redact, fields.UserID)
	} else {
		set.Keep = append(set.Keep, fields.UserID)
	}
	empty := func(path string) bool { return path == "" }
	for _, paths := range []*[]string{&set.Redact, &set.Keep, &set.Numbers, &set.Times} {
		*paths = slices.DeleteFunc(*paths, empty)
	}
	return privacy.New(set)
}
