//! The builder that every table has.

/// Generates `Builder` of a table module; `OwnColumns` and `Row` are in scope.
macro_rules! table_builder {
    ($id:expr, $row:ty) => {
        /// Gathers rows of this table and makes a record batch of them. Appending
        /// allocates nothing per row once the columns in use have their room.
        #[derive(Debug)]
        pub struct Builder {
            rows: usize,
            common: CommonColumns,
            own: OwnColumns,
            nulls: NullCache,
        }

        impl Builder {
            /// An empty builder; a column makes room for `capacity` rows when it gets its first value.
            #[must_use]
            pub fn with_capacity(capacity: usize) -> Self {
                Self {
                    rows: 0,
                    common: CommonColumns::new(capacity),
                    own: OwnColumns::new(capacity),
                    nulls: NullCache::new(capacity),
                }
            }

            /// Appends one row.
            #[inline]
            pub fn append(&mut self, common: &Common<'_>, row: &$row) {
                let at = self.rows;
                self.common.push(at, common);
                self.own.push(at, row);
                self.rows = at + 1;
            }

            /// Rows since the last `finish`.
            #[must_use]
            pub fn len(&self) -> usize {
                self.rows
            }

            /// No rows since the last `finish`.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.rows == 0
            }

            /// Bytes held, roughly. Walks every column: not for each row.
            #[must_use]
            pub fn approx_bytes(&self) -> usize {
                self.common.approx_bytes() + self.own.approx_bytes()
            }

            /// The rows as a batch with the schema of the table; the builder is empty again.
            ///
            /// # Errors
            /// `TT-SCH-001` when Arrow refuses the columns (a text column above 4 GiB).
            pub fn finish(&mut self) -> Result<arrow_array::RecordBatch, SchemaError> {
                let rows = std::mem::take(&mut self.rows);
                let mut out = Vec::with_capacity(COLUMNS.len());
                self.common
                    .finish(rows, &mut self.nulls, &mut out)
                    .and_then(|()| self.own.finish(rows, &mut self.nulls, &mut out))
                    .and_then(|()| {
                        let options =
                            arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
                        arrow_array::RecordBatch::try_new_with_options($id.schema(), out, &options)
                    })
                    .map_err(|source| SchemaError::Batch {
                        table: $id.as_str(),
                        reason: source.to_string(),
                    })
            }
        }
    };
}
pub(crate) use table_builder;
