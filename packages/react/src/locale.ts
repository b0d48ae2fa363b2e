/** The languages of the components' own texts. */
export type Locale = 'en' | 'zh';
