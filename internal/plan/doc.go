// Package plan reads plan files, which say which numbers belong on which 10DLC
// campaign, and compares them with Telnyx's records.
//
// It does no I/O except reading those files, and decides nothing about time or
// retries: [Load] turns files into a [Set] or into [Faults], and [Diff] turns one
// campaign and its records into [Changes]. It imports package telnyx and no other
// package of Greenlight.
//
// # Grammar
//
// A plan is a YAML file. A folder of plan files is one plan: it is loaded as a whole
// or not at all.
//
//	version: 1                  # required, must be 1
//	campaigns:                  # required, one or more
//	  - name: spring-promo      # required; up to 64 of A-Z a-z 0-9 . _ -
//	    campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07
//	                            # Telnyx's id, up to 64 of A-Z a-z 0-9 -
//	    tcr_campaign_id: C6X6M95
//	                            # or The Campaign Registry's
//	    reference_id: spring-2026
//	                            # or the referenceId that it is filed with, up to 64
//	                            # of A-Z a-z 0-9 _ -; exactly one of the three
//	    brand_id: 97091164-e814-435c-9c1b-14ab2d18e987
//	                            # the brand's id at Telnyx, with reference_id only
//	    messaging_profile_id: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
//	                            # optional; for numbers without a profile
//	    numbers:                # one or more; see ParseE164
//	      - +15551234567
//	      - "+15551234568"
//	    numbers_file: numbers/spring.csv
//	                            # a list, CSV file or Excel workbook (.xlsx) in the
//	                            # plan's folder or below
//	    numbers_column: Phone   # optional; the column that holds the numbers
//	    skip_invalid: true      # optional; set aside rows of the numbers_file that are
//	                            # refused, and report them ([Set.SetAside])
//	    number_pool: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
//	                            # every number of this messaging profile; at least one of
//	                            # numbers, numbers_file and number_pool is required
//	    move_from: [C6X6M94]    # optional; campaigns that numbers may be taken from
//	    max_numbers: 49         # optional; the default is 49
//	    prune: true             # optional; remove numbers that this entry attached
//	                            # and no longer names
//
// A name, campaign, pool, numbers file or number appears once in all files together.
// The schema for editors, config/plan.schema.json, says the same as far as a schema
// can; a test keeps the two in step.
//
// A numbers_file may be as spreadsheets write it: with a line sep=; or a title above the
// header, lines that end with CR alone, and numbers written '+1… or ="+1…". Numbers in
// other spellings are refused there as in a plan; [ReadNumbers] reads those.
//
// # Strictness
//
// A plan decides who may send from which number. Anything that could be read in two
// ways is therefore refused, with its position and a fix ([Fault]): unknown, repeated
// and misspelled keys, a second document in a file, an empty file, text that YAML
// reads as another type, anchors, aliases, merge keys, tags, tabs, bytes that are not
// UTF-8, and more values than a plan needs. All faults of all files are reported at
// once. The exception is a file that is not text or not YAML: it gets one fault and is
// not read further. A byte order mark and Windows line ends are accepted.
//
// The YAML is parsed with yaml3, the parser of github.com/oasdiff/yaml (see reader),
// and printed with that package's Marshal ([Set.YAML]). [Write] writes a plan file with
// comments, for people.
//
// # Concurrency
//
// The package keeps no state. A [Set] does not change after it is loaded, so
// goroutines may share it.
package plan
