// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTimestamp(t *testing.T) {
	t.Parallel()
	const second = int64(1715623400) // 2024-05-13T18:03:20Z
	for text, want := range map[string]int64{
		"2024-05-13T18:03:20Z":                second * 1e9,
		"2024-05-13t18:03:20z":                second * 1e9,
		"2024-05-13 18:03:20Z":                second * 1e9,
		"2024-05-13T18:03:20.1Z":              second*1e9 + 100_000_000,
		"2024-05-13T18:03:20.123456789Z":      second*1e9 + 123_456_789,
		"2024-05-13T18:03:20.1234567899Z":     second*1e9 + 123_456_789,
		"2024-05-13T20:03:20+02:00":           second * 1e9,
		"2024-05-13T20:03:20.5+02:00":         second*1e9 + 500_000_000,
		"2024-05-13T12:33:20-05:30":           second * 1e9,
		"2024-05-13T18:03:20-00:00":           second * 1e9,
		"1970-01-01T00:00:00Z":                -1,
		"1970-01-01T01:00:00+01:00":           -1,
		"1970-01-01 00:00":                    -1,
		"19700101T000000Z":                    -1,
		"0":                                   -1,
		"0.0":                                 -1,
		"1969-12-31T23:00:00-01:00":           -1,
		"2000-02-29T00:00:00Z":                951_782_400e9,
		"2262-04-11T23:47:16.854775807Z":      math.MaxInt64,
		"2262-04-12T23:47:16.854775807+24:00": -1,
		"1715623400":                          second * 1e9,
		"99999999999":                         -1, // seconds, in the year 5138
		"100000000000":                        100_000_000_000e6,
		"1715623400123":                       1715623400123e6,
		"99999999999999":                      -1, // ms
		"100000000000000":                     100_000_000_000_000e3,
		"1715623400123456":                    1715623400123456e3,
		"99999999999999999":                   -1, // µs
		"100000000000000000":                  100_000_000_000_000_000,
		"1715623400123456789":                 1715623400123456789,
		"9223372036854775807":                 math.MaxInt64,
		"9223372036854775808":                 -1,
		"18446744073709551616":                -1,
		"99999999999999999999999999":          -1,
		"9223372036":                          9223372036e9,
		"9223372037":                          -1,

		"":                               -1,
		"yesterday":                      -1,
		"-1":                             -1,
		"1.5":                            1_500_000_000,
		"1715623400123x":                 -1,
		" 1715623400123":                 1715623400123e6,
		"2024-05-13":                     -1,
		"20240513T180320Z":               second * 1e9,
		"20240513t180320.5z":             second*1e9 + 500_000_000,
		"20240513T1803Z":                 (second - 20) * 1e9,
		"20240513 180320+0200":           (second - 7200) * 1e9,
		"20240513T18:03:20Z":             second * 1e9,
		"2024-05-13T180320":              second * 1e9,
		"2024-05-13T18:03:20,123+00":     second*1e9 + 123_000_000,
		"2024-05-13T18:03+00:00":         (second - 20) * 1e9,
		"2024-05-13 18:03:20 +0000":      second * 1e9,
		"2024-05-13 18:03:20 UTC":        second * 1e9,
		"2024-05-13T24:00Z":              1715644800e9,
		"20240513T240000,000Z":           1715644800e9,
		"2024-12-31T24:00:00+01":         1735686000e9,
		"2024-05-13T24:00:01Z":           -1,
		"2024-05-13T24:01:00Z":           -1,
		"2024-05-13T25:00:00Z":           -1,
		"2016-12-31T23:59:60.5Z":         1483228800e9 + 500_000_000,
		"20161231T235960Z":               1483228800e9,
		"2017-01-01T00:59:60+01:00":      1483228800e9,
		"2016-12-31T23:59:61Z":           -1,
		"2016-12-31T23:60:60Z":           -1,
		"1715623400.123":                 second*1e9 + 123_000_000,
		"1715623400,123":                 second*1e9 + 123_000_000,
		"1715623400123.456":              second*1e9 + 123_456_000,
		"1.715623400123E9":               second*1e9 + 123_000_000,
		"01715623400":                    second * 1e9,
		"-1715623400.5":                  -1,
		"1715623400.":                    -1,
		".5":                             -1,
		"1,715,623,400":                  -1,
		"0001-01-01T00:00:00Z":           -1,
		"0001-01-01T00:00:00":            -1,
		"9999-12-31T24:00:00Z":           -1,
		"20240513180320":                 -1, // an epoch in ms, of the year 2611
		"2024-W20-1T18:03:20Z":           -1,
		"2024W201T180320Z":               -1,
		"2024-134T18:03:20Z":             -1,
		"2024134T180320Z":                -1,
		"2024-05-13T18Z":                 -1,
		"2024-05-13T18:03.5Z":            -1,
		"20240230T180320Z":               -1,
		"T18:03:20Z":                     -1,
		"2024-05-13T18:03:20":            second * 1e9,
		"2024-05-13T18:03:20.Z":          -1,
		"2024-05-13T18:03:20,5Z":         second*1e9 + 500_000_000,
		"2024-05-13T18:03Z":              (second - 20) * 1e9,
		"2024-05-13T18:03:20ZZ":          -1,
		"2024-05-13T18:03:20+0200":       (second - 7200) * 1e9,
		"2024-05-13T18:03:20+02":         (second - 7200) * 1e9,
		"2024-05-13T18:03:20+2:00":       -1,
		"2024-05-13T18:03:20+24:00":      -1,
		"2024-05-13T18:03:20+00:60":      -1,
		"2024-05-13T18:03:20*00:00":      -1,
		"2024-05-13_18:03:20Z":           -1,
		"2024/05/13T18:03:20Z":           -1,
		"2024-5-13T18:03:20Z":            -1,
		"2024-00-13T18:03:20Z":           -1,
		"2024-13-13T18:03:20Z":           -1,
		"2024-05-00T18:03:20Z":           -1,
		"2024-05-32T18:03:20Z":           -1,
		"2024-04-31T18:03:20Z":           -1,
		"2024-02-30T18:03:20Z":           -1,
		"2023-02-29T18:03:20Z":           -1,
		"1900-02-29T18:03:20Z":           -1,
		"2024-05-13T24:00:00Z":           1715644800e9,
		"2024-05-13T18:60:20Z":           -1,
		"2016-12-31T23:59:60Z":           1483228800e9,
		"1969-12-31T23:59:59Z":           -1,
		"0000-01-01T00:00:00Z":           -1,
		"2262-04-11T23:47:16.854775808Z": -1,
		"9999-12-31T23:59:59Z":           -1,
		"202a-05-13T18:03:20Z":           -1,
	} {
		got, err := ParseTimestamp([]byte(text))
		if want < 0 {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

// Times without a zone are in the configured one, in summer and in winter.
func TestParseTimestampIn_TimesWithoutAZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"2026-07-01T14:00:00":      "2026-07-01T12:00:00Z",
		"2026-12-01 13:00:00,5":    "2026-12-01T12:00:00.5Z",
		"20260701T140000":          "2026-07-01T12:00:00Z",
		"2026-07-01T24:00":         "2026-07-01T22:00:00Z",
		"2026-03-28T24:00:00":      "2026-03-28T23:00:00Z",
		"2026-07-01T14:00:00Z":     "2026-07-01T14:00:00Z",
		"2026-07-01T14:00:00+0100": "2026-07-01T13:00:00Z",
		"1782907200":               "2026-07-01T12:00:00Z",
	} {
		got, err := ParseTimestampIn([]byte(text), berlin)
		require.NoError(t, err, text)
		assert.Equal(t, want, time.Unix(0, got).UTC().Format(time.RFC3339Nano), text)
	}
}

func TestTimestampNumbers(t *testing.T) {
	t.Parallel()
	for json, want := range map[string]int64{
		"0":                                  -1,
		"-0":                                 -1,
		"0.0000000001":                       -1,
		"1e-400":                             -1,
		"0.5":                                500_000_000,
		"1715623400":                         1715623400e9,
		"1715623400.123":                     1715623400_123_000_000,
		"1715623400.123456789":               1715623400_123_456_789,
		"1715623400.12345678999999999999999": 1715623400_123_456_789,
		"1715623400.0000000000000000000000":  1715623400e9,
		"1.715623400123e9":                   1715623400_123_000_000,
		"1.715623400123E+12":                 1715623400_123_000_000,
		"17156234001230000e-4":               1715623400_123_000_000,
		"1715623400123.456789":               1715623400_123_456_789,
		"1715623400123456.789":               1715623400_123_456_789,
		"1715623400123456789.9":              1715623400_123_456_789,
		"1e10":                               -1,
		"1e11":                               1e17,
		"1e18":                               1e18,
		"1e19":                               -1,
		"1e999999999999999999999999":         -1,
		"-1715623400":                        -1,
		"-0.1":                               -1,
		"9223372036854775807.9":              math.MaxInt64,
		"9223372036854775808.0":              -1,
	} {
		got := decode(t, `{"type":"message.send","channelId":"c","timestamp":`+json+`}`)
		if want < 0 {
			require.Len(t, got.violations, 1, json)
			assert.Equal(t, "bad_timestamp", got.violations[0].Reason, json)
			continue
		}
		require.Len(t, got.events, 1, json)
		assert.Equal(t, want, got.events[0].Time, json)
	}
}

// TestParseTimestampDays is every day there is, against package time.
func TestParseTimestampDays(t *testing.T) {
	t.Parallel()
	last := time.Unix(0, math.MaxInt64).UTC()
	for day := time.Unix(86_400, 0).UTC(); day.Before(last); day = day.AddDate(0, 0, 1) {
		got, err := ParseTimestamp([]byte(day.Format(time.RFC3339)))
		require.NoError(t, err)
		require.Equal(t, day.UnixNano(), got, day)
	}
}

func TestParseTimestampRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		zone := time.FixedZone("", (random.IntN(2*24*60-1)-24*60+1)*60)
		want := time.Unix(0, random.Int64()).In(zone)
		if year := want.Year(); year < 1970 || year > 2262 {
			continue
		}
		got, err := ParseTimestamp([]byte(want.Format(time.RFC3339Nano)))
		require.NoError(t, err, want)
		require.Equal(t, want.UnixNano(), got, want)
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, seed := range []string{
		"2024-05-13T18:03:20.123Z", "2024-02-30T00:00:00+24:00", "1969-12-31t23:59:59.999999999-23:59", "2262-04-11 23:47:16.854775807z",
		"0000-02-29T00:00:00Z", "1715623400123", "18446744073709551616", "2016-12-31T23:59:60Z", "",
		"20260401T120000,5+01", "2026-04-01 24:00", "1795897397.971", "-1e3", "2026-04-01T12:00:00 UTC",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTimestamp([]byte(text))
		want, wantErr := time.Parse(time.RFC3339Nano, text)
		switch {
		case wantErr == nil && err == nil:
			require.Equal(t, want.UnixNano(), got)
			require.Equal(t, want.Unix(), got/1e9, "past int64 nanoseconds")
		case wantErr == nil:
			first, last := time.Unix(0, 1), time.Unix(0, math.MaxInt64)
			strict := len(text) > 10 && text[10] == 'T' && want.Format("2006-01-02T15:04:05") == text[:min(19, len(text))]
			require.False(t, strict && !want.Before(first) && !want.After(last) && isRFC3339(text), "%v, but %s", want, err)
		case err == nil:
			require.Positive(t, got)
		}
	})
}

// isRFC3339 reports whether a time that time.Parse takes is one of RFC 3339 as well: it
// also takes a comma before the fraction, and zones up to 24:60.
func isRFC3339(text string) bool {
	rest := text[len("2006-01-02T15:04:05"):]
	var hours, minutes int
	if n, _ := fmt.Sscanf(rest[max(0, len(rest)-5):], "%2d:%2d", &hours, &minutes); n == 2 && (hours > 23 || minutes > 59) {
		return false
	}
	return rest[0] != ','
}

func BenchmarkParseTimestamp(b *testing.B) {
	for _, text := range []string{"2024-05-13T18:03:20.123Z", "2024-05-13T18:03:20.123456789+02:00", "1715623400123"} {
		b.Run(text, func(b *testing.B) {
			timestamp := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTimestamp(timestamp); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
